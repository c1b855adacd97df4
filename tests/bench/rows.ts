import { procedures, type VolumeReference } from "@cistern/protocol";
import { directoryPool, startPool } from "./directory-pool.js";
import { DISK_ROWS } from "./disk-rows.js";
import { imageName } from "./images.js";
import type { Row, Stage } from "./row.js";

/** Cheap calls are measured in batches, one call after the other on one connection. */
const CALLS = { unit: "µs", rounds: { normal: 20, quick: 6 }, operations: 200 } as const;

export const ROWS: readonly Row[] = [
  {
    ...CALLS,
    name: "lookup",
    usesImages: true,
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
    usesImages: true,
    title: () => "a volume's info",
    async run(stage, turn) {
      await stage.connection.call(procedures.storageVolGetInfo, { vol: volumeOf(stage, turn) });
      return undefined;
    },
  },
  {
    ...CALLS,
    name: "xmldesc",
    usesImages: true,
    title: () => "a volume's XML description",
    async run(stage, turn) {
      await stage.connection.call(procedures.storageVolGetXmlDesc, { vol: volumeOf(stage, turn), flags: 0 });
      return undefined;
    },
  },
  {
    name: "list-10k",
    usesImages: true,
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
    usesImages: true,
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
    usesImages: true,
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
    target: 1,
    unit: "µs",
    rounds: { normal: 40, quick: 6 },
    operations: 20,
    async run(stage, turn) {
      const xml = `<volume><name>raw-${turn}.img</name><capacity>1073741824</capacity><allocation>0</allocation></volume>`;
      const { vol } = await stage.connection.call(procedures.storageVolCreateXml, { pool: stage.empty, xml, flags: 0 });
      await stage.connection.call(procedures.storageVolDelete, { vol, flags: 0 });
      return undefined;
    },
  },
  {
    name: "create-delete-qcow2",
    title: () => "create and delete an empty qcow2 volume",
    target: 10,
    unit: "µs",
    rounds: { normal: 24, quick: 3 },
    operations: 20,
    async run(stage, turn) {
      const xml = `<volume><name>image-${turn}.qcow2</name><capacity>1073741824</capacity><target><format type='qcow2'/></target></volume>`;
      const { vol } = await stage.connection.call(procedures.storageVolCreateXml, { pool: stage.empty, xml, flags: 0 });
      await stage.connection.call(procedures.storageVolDelete, { vol, flags: 0 });
      return undefined;
    },
  },
  ...DISK_ROWS,
];

function volumeOf(stage: Stage, turn: number): VolumeReference {
  const name = imageName(turn % stage.volumes);
  return { pool: stage.full.name, name, key: `${stage.fullPath}/${name}` };
}
