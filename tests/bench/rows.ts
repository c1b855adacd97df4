import type { Connection } from "@cistern/client";
import { type PoolReference, procedures, type VolumeReference } from "@cistern/protocol";
import { imageName } from "./images.js";

/** What a row finds ready on each side: an active directory pool full of images, and an empty one. */
export interface Stage {
  readonly name: string;
  readonly connection: Connection;
  readonly full: PoolReference;
  readonly fullPath: string;
  readonly volumes: number;
  readonly empty: PoolReference;
}

export interface Row {
  readonly name: string;
  /** In words, `volumes` being the number in the full pool. */
  title(volumes: number): string;
  readonly unit: "µs" | "ms";
  readonly rounds: { readonly normal: number; readonly quick: number };
  /** Operations in one sample; the sample is the time of one of them. */
  readonly operations: number;
  /** Does the operation once. `turn` never repeats. Returns milliseconds where not everything it does counts. */
  run(stage: Stage, turn: number): Promise<number | undefined>;
}

/** Cheap calls are measured in batches, one call after the other on one connection. */
const CALLS = { unit: "µs", rounds: { normal: 20, quick: 6 }, operations: 200 } as const;

export const ROWS: readonly Row[] = [
  {
    ...CALLS,
    name: "lookup",
    title: (volumes) => `look up one of ${volumes} volumes by name`,
    async run(stage, turn) {
      const name = imageName(turn % stage.volumes);
      await stage.connection.call(procedures.storageVolLookupByName, { pool: stage.full, name });
      return undefined;
    },
  },
  {
    ...CALLS,
    name: "info",
    title: () => "a volume's info",
    async run(stage, turn) {
      await stage.connection.call(procedures.storageVolGetInfo, { vol: volumeOf(stage, turn) });
      return undefined;
    },
  },
  {
    ...CALLS,
    name: "xmldesc",
    title: () => "a volume's XML description",
    async run(stage, turn) {
      await stage.connection.call(procedures.storageVolGetXmlDesc, { vol: volumeOf(stage, turn), flags: 0 });
      return undefined;
    },
  },
  {
    name: "list-10k",
    title: (volumes) => `list all ${volumes} volumes`,
    unit: "ms",
    rounds: { normal: 20, quick: 6 },
    operations: 1,
    async run(stage) {
      const args = { pool: stage.full, need_results: 1, flags: 0 };
      const { ret } = await stage.connection.call(procedures.storagePoolListAllVolumes, args);
      if (ret !== stage.volumes) throw new Error(`${stage.name} lists ${ret} volumes instead of ${stage.volumes}`);
      return undefined;
    },
  },
  {
    name: "refresh-10k",
    title: (volumes) => `refresh ${volumes} unchanged volumes again`,
    unit: "ms",
    rounds: { normal: 7, quick: 3 },
    operations: 1,
    async run(stage) {
      await stage.connection.call(procedures.storagePoolRefresh, { pool: stage.full, flags: 0 });
      return undefined;
    },
  },
  {
    name: "first-scan-10k",
    title: (volumes) => `start a pool and scan ${volumes} qcow2 images for the first time`,
    unit: "ms",
    rounds: { normal: 5, quick: 2 },
    operations: 1,
    async run(stage, turn) {
      // A transient pool of its own each time: nothing that was learnt about an earlier one can help. The full pool
      // has to be gone meanwhile, because two pools may not have one target.
      const { connection, full, fullPath } = stage;
      await connection.call(procedures.storagePoolDestroy, { pool: full });
      await connection.call(procedures.storagePoolUndefine, { pool: full });
      const xml = directoryPool(`scan-${turn}`, fullPath);
      const startedMs = performance.now();
      const { pool } = await connection.call(procedures.storagePoolCreateXml, { xml, flags: 0 });
      const elapsedMs = performance.now() - startedMs;
      await connection.call(procedures.storagePoolDestroy, { pool });
      await startPool(connection, full.name, fullPath, full.uuid);
      return elapsedMs;
    },
  },
  {
    name: "create-delete",
    title: () => "create and delete a sparse raw volume",
    unit: "µs",
    rounds: { normal: 20, quick: 6 },
    operations: 20,
    async run(stage, turn) {
      const xml = `<volume><name>raw-${turn}.img</name><capacity>1073741824</capacity><allocation>0</allocation></volume>`;
      const { vol } = await stage.connection.call(procedures.storageVolCreateXml, { pool: stage.empty, xml, flags: 0 });
      await stage.connection.call(procedures.storageVolDelete, { vol, flags: 0 });
      return undefined;
    },
  },
];

/** Defines and starts a directory pool; with `uuid`, under the identity that an earlier one had. */
export async function startPool(
  connection: Connection,
  name: string,
  path: string,
  uuid?: string,
): Promise<PoolReference> {
  const xml = directoryPool(name, path, uuid);
  const { pool } = await connection.call(procedures.storagePoolDefineXml, { xml, flags: 0 });
  await connection.call(procedures.storagePoolCreate, { pool, flags: 0 });
  return pool;
}

function directoryPool(name: string, path: string, uuid?: string): string {
  const identity = uuid === undefined ? "" : `<uuid>${uuid}</uuid>`;
  return `<pool type='dir'><name>${name}</name>${identity}<target><path>${path}</path></target></pool>`;
}

function volumeOf(stage: Stage, turn: number): VolumeReference {
  const name = imageName(turn % stage.volumes);
  return { pool: stage.full.name, name, key: `${stage.fullPath}/${name}` };
}
