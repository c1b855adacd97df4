import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Connection, Volume } from "@cistern/client";
import { LibvirtError, procedures, type VolumeReference } from "@cistern/protocol";
import { quietDisk } from "./quiet-disk.js";
import type { Prepared, PreparedRow, Stage } from "./row.js";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const CHUNK_BYTES = 4 * MiB;
/** libvirtd scans the pool after an upload, and refuses others meanwhile. */
const RELEASED_MS = 60_000;
const SYNC_TIMEOUT_MS = 120_000;
/** A file's own tables and rounding to what the file system gives at once. */
const ALLOCATION_SLACK = 1.25;

/** A gigabyte at a time: few rounds, and everything is removed after each. */
const LARGE = { unit: "ms", rounds: { normal: 5, quick: 1 }, operations: 1, usesDisk: true } as const;
/** What leaves its data in the page cache. */
const FILLING = { ...LARGE, runsTwice: true } as const;

/** Rows of volumes with content. Before each sample nothing is left to be written from earlier ones. */
export const DISK_ROWS: readonly PreparedRow[] = [
  {
    ...FILLING,
    name: "clone-1g-sparse",
    title: () => "clone a raw volume of 1 GiB that holds 256 MiB in 64 extents",
    target: 2,
    prepare: (stage) => cloning(stage, { sizeBytes: GiB, extents: 64, extentBytes: 4 * MiB }, 1),
  },
  {
    ...FILLING,
    name: "clone-1g-random",
    title: () => "clone a raw volume of 1 GiB of random bytes",
    target: 1,
    prepare: (stage) => cloning(stage, { sizeBytes: GiB, extents: 1, extentBytes: GiB }, 1),
  },
  {
    ...FILLING,
    name: "clone-8-at-once",
    title: () => "8 clones at once of a raw volume of 256 MiB of random bytes",
    target: 1,
    prepare: (stage) => cloning(stage, { sizeBytes: 256 * MiB, extents: 1, extentBytes: 256 * MiB }, 8),
  },
  {
    ...FILLING,
    name: "upload-1g",
    title: () => "upload 1 GiB of random bytes, and sync the file",
    target: 1,
    prepare: (stage) => uploading(stage, { sizeBytes: GiB, extents: 1, extentBytes: GiB }),
  },
  {
    ...LARGE,
    name: "upload-8g-sparse",
    title: () => "upload 8 GiB of zeros with 64 MiB of data among them, not as a sparse stream, and sync the file",
    target: 2,
    rounds: { normal: 3, quick: 1 },
    prepare: (stage) => uploading(stage, { sizeBytes: 8 * GiB, extents: 16, extentBytes: 4 * MiB }),
  },
  {
    ...LARGE,
    name: "download-1g",
    title: () => "download 1 GiB of random bytes",
    target: 1,
    async prepare(stage) {
      const source = await fileVolume(stage, "source.raw", { sizeBytes: GiB, extents: 1, extentBytes: GiB });
      const volume = new Volume(stage.connection, source);
      return {
        async run() {
          const startedMs = performance.now();
          let bytes = 0;
          for await (const chunk of await volume.openDownload()) bytes += (chunk as Buffer).length;
          const elapsedMs = performance.now() - startedMs;
          if (bytes !== GiB) throw new Error(`${stage.name} sent ${bytes} bytes`);
          return elapsedMs;
        },
        end: () => removeFile(stage, source.name),
      };
    },
  },
  {
    ...FILLING,
    name: "wipe-1g",
    title: () => "wipe (zero) an allocated raw volume of 1 GiB",
    target: 1,
    async prepare(stage) {
      const wiped = await fileVolume(stage, "wiped.raw", { sizeBytes: GiB, extents: 1, extentBytes: GiB });
      const volume = new Volume(stage.connection, wiped);
      return {
        async run() {
          await quiet(stage);
          const startedMs = performance.now();
          await volume.wipe("zero");
          return performance.now() - startedMs;
        },
        end: () => removeFile(stage, wiped.name),
      };
    },
  },
];

/** Random bytes in pieces of one size, evenly spread over zeros. */
interface Content {
  readonly sizeBytes: number;
  readonly extents: number;
  readonly extentBytes: number;
}

/** Clones, each on a connection of its own; the daemons' own flushes are part of the time. */
async function cloning(stage: Stage, content: Content, atOnce: number): Promise<Prepared> {
  const source = await fileVolume(stage, "source.raw", content);
  const connections = await Promise.all(Array.from({ length: atOnce }, () => stage.connect()));
  return {
    async run(turn) {
      await quiet(stage);
      const startedMs = performance.now();
      const clones = await Promise.all(
        connections.map((connection, index) => clone(connection, stage, source, `clone-${turn}-${index}.raw`, content)),
      );
      const elapsedMs = performance.now() - startedMs;
      for (const made of clones) {
        await sameSize(join(stage.emptyPath, made.name), content.sizeBytes);
        await remove(stage, made);
      }
      return elapsedMs;
    },
    async end() {
      await Promise.all(connections.map((connection) => connection.close()));
      await removeFile(stage, source.name);
    },
  };
}

async function clone(
  connection: Connection,
  stage: Stage,
  source: VolumeReference,
  name: string,
  { sizeBytes }: Content,
): Promise<VolumeReference> {
  const args = { pool: stage.empty, xml: rawVolume(name, sizeBytes), clonevol: source, flags: 0 };
  return (await connection.call(procedures.storageVolCreateXmlFrom, args)).vol;
}

/** An upload into a new sparse volume. The sync at its end costs nothing where the daemon has done it already. */
async function uploading(stage: Stage, content: Content): Promise<Prepared> {
  const random = randomBytes(CHUNK_BYTES);
  const zeros = Buffer.alloc(CHUNK_BYTES);
  const dataBytes = content.extents * content.extentBytes;
  let complaint: string | null = null;
  return {
    async run(turn) {
      const xml = rawVolume(`uploaded-${turn}.raw`, content.sizeBytes);
      const { vol } = await stage.connection.call(procedures.storageVolCreateXml, { pool: stage.empty, xml, flags: 0 });
      await quiet(stage);
      const path = join(stage.emptyPath, vol.name);
      const startedMs = performance.now();
      const stream = await new Volume(stage.connection, vol).openUpload();
      const done = finished(stream);
      for (let offset = 0; offset < content.sizeBytes; offset += CHUNK_BYTES) {
        if (!stream.write(isData(content, offset) ? random : zeros)) await Promise.race([once(stream, "drain"), done]);
      }
      stream.end();
      await done;
      await using file = await open(path, "r");
      await file.sync();
      const elapsedMs = performance.now() - startedMs;
      await sameSize(path, content.sizeBytes);
      const allocatedBytes = (await stat(path)).blocks * 512;
      if (allocatedBytes > dataBytes * ALLOCATION_SLACK) {
        complaint = `cisternd allocates ${Math.round(allocatedBytes / MiB)} MiB for ${dataBytes / MiB} MiB of data`;
      }
      await remove(stage, vol);
      return elapsedMs;
    },
    complaint: () => complaint,
    end: () => Promise.resolve(),
  };
}

function isData({ sizeBytes, extents, extentBytes }: Content, offset: number): boolean {
  return offset % (sizeBytes / extents) < extentBytes;
}

/** A file with that content, found by the pool. */
async function fileVolume(stage: Stage, name: string, content: Content): Promise<VolumeReference> {
  const path = join(stage.emptyPath, name);
  await using file = await open(path, "wx", 0o600);
  await file.truncate(content.sizeBytes);
  const random = randomBytes(CHUNK_BYTES);
  for (let offset = 0; offset < content.sizeBytes; offset += CHUNK_BYTES) {
    if (isData(content, offset)) await file.write(random, 0, CHUNK_BYTES, offset);
  }
  await file.sync();
  await stage.connection.call(procedures.storagePoolRefresh, { pool: stage.empty, flags: 0 });
  return { pool: stage.empty.name, name, key: path };
}

async function removeFile(stage: Stage, name: string): Promise<void> {
  await rm(join(stage.emptyPath, name));
  await stage.connection.call(procedures.storagePoolRefresh, { pool: stage.empty, flags: 0 });
}

async function remove(stage: Stage, vol: VolumeReference): Promise<void> {
  const deadline = Date.now() + RELEASED_MS;
  for (;;) {
    try {
      await stage.connection.call(procedures.storageVolDelete, { vol, flags: 0 });
      return;
    } catch (error) {
      if (!(error instanceof LibvirtError) || Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

/** Writes out what is left of earlier samples, so that it is not this one's to pay. */
async function quiet(stage: Stage): Promise<void> {
  await promisify(execFile)("sync", ["--file-system", stage.emptyPath], { timeout: SYNC_TIMEOUT_MS });
  await quietDisk(stage.emptyPath);
}

async function sameSize(path: string, sizeBytes: number): Promise<void> {
  const { size } = await stat(path);
  if (size !== sizeBytes) throw new Error(`"${path}" has ${size} bytes instead of ${sizeBytes}`);
}

function rawVolume(name: string, sizeBytes: number): string {
  return `<volume><name>${name}</name><capacity>${sizeBytes}</capacity><allocation>0</allocation></volume>`;
}
