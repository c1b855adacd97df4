import { readFileSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import type { Connection, Pool, UploadStream } from "@cistern/client";
import { contentOf } from "./content.js";
import type { Finding } from "./finding.js";
import { fixturePath } from "./fixtures.js";
import * as promise from "./promises.js";

/** What an operation works with. */
export interface Scene {
  readonly connection: Connection;
  readonly pool: Pool;
  /** The pool's directory. */
  readonly directory: string;
  /** A place on the same file system, beside it. */
  readonly beside: string;
}

export interface Operation {
  readonly name: string;
  readonly fileSystem: "ext4" | "xfs";
  /** Points of `npm test`: deaths at a call of the daemon, and deaths while a child (qemu-img, scrub) is at work. */
  readonly points: { readonly own: number; readonly child: number };
  /** Files of the pool when it begins, by the names in fixtures.ts. */
  readonly fixtures: readonly string[];
  /** The volume that the log names when it is incomplete. */
  readonly volume: string;
  run(scene: Scene): Promise<unknown>;
  inspect(scene: { readonly directory: string; readonly beside: string }): Promise<Finding>;
}

const MiB = 1024 * 1024;
export const SECRET = "2ec115d7-3a88-4ceb-bc12-0ac909a6fd87";
/** The same when it is built again. */
const BUILT = "8f2f3b1e-6f0e-4d5c-9a57-0d1f6a2b7c11";
export const OLD = { seed: 1, bytes: 4 * MiB } as const;
/** Its last block is not whole: scrub lengthens it. */
export const ODD = { seed: 5, bytes: MiB + 1000 } as const;
const NEW_SEED = 2;

const PERMISSIONS = "<permissions><owner>107</owner><group>107</group><mode>0640</mode></permissions>";
const capacity = (bytes: number, allocated: number): string =>
  `<capacity>${bytes}</capacity><allocation>${allocated}</allocation>`;

const LUKS = `<encryption format='luks'><secret type='passphrase' uuid='${SECRET}'/></encryption>`;

function volumeXml(format: string, sizes: string, more = "", targetMore = ""): string {
  return `<volume><name>v</name>${sizes}<target><format type='${format}'/>${PERMISSIONS}${targetMore}</target>${more}</volume>`;
}

const create = (
  name: string,
  points: Operation["points"],
  xml: (scene: Scene) => string,
  wanted: promise.NewVolume,
  more: Partial<Operation> & { readonly preallocateMetadata?: boolean } = {},
): Operation => ({
  name,
  fileSystem: "ext4",
  points,
  fixtures: [],
  volume: "v",
  run: (scene) => scene.pool.createVolume(xml(scene), { preallocateMetadata: more.preallocateMetadata }),
  inspect: ({ directory }) => promise.newVolume(join(directory, "v"), wanted),
  ...more,
});

const clone = (
  name: string,
  points: Operation["points"],
  source: string,
  format: string,
  {
    reflink,
    encryption = "",
    capacityBytes = 16 * MiB,
    ...more
  }: Partial<Operation> & {
    readonly reflink?: boolean;
    readonly encryption?: string;
    readonly capacityBytes?: number;
  } = {},
): Operation => ({
  name,
  fileSystem: "ext4",
  points,
  fixtures: [source],
  volume: "v",
  run: async ({ pool }) =>
    pool.cloneVolume(volumeXml(format, capacity(0, 0), "", encryption), await pool.lookupVolume(source), { reflink }),
  inspect: ({ directory }) =>
    promise.newVolume(join(directory, "v"), {
      format: encryption === "" ? format : "luks",
      capacityBytes,
      sameAs: join(directory, source),
    }),
  ...more,
});

const inPlace = (
  name: string,
  points: Operation["points"],
  volume: string,
  run: Operation["run"],
  inspect: (path: string) => Promise<Finding>,
): Operation => ({
  name,
  fileSystem: "ext4",
  points,
  fixtures: [volume],
  volume,
  run,
  inspect: ({ directory }) => inspect(join(directory, volume)),
});

/** Uploaded over OLD: bytes, a run of zeros, bytes, in the first 3 MiB; the last one stays. */
function uploaded(): Buffer {
  const content = contentOf(NEW_SEED, 3 * MiB);
  content.fill(0, MiB, 2 * MiB);
  return content;
}

/** Uploaded over the end of OLD: the same, which ends with zeros. */
const BEYOND = { offset: 2 * MiB, bytes: 5 * MiB } as const;
function uploadedBeyond(): Buffer {
  const content = uploaded();
  content.fill(0, content.length - MiB / 2);
  return content;
}

/** Uploaded over a hole of sparse.raw, an island, and a hole again. */
const SPARSE_OFFSET = 8 * MiB;
function overSparse(): Buffer {
  const whole = readFileSync(fixturePath("sparse.raw"));
  uploaded().copy(whole, SPARSE_OFFSET);
  return whole;
}

async function send(stream: UploadStream, chunks: readonly (Buffer | { readonly holeBytes: bigint })[]): Promise<void> {
  const done = finished(stream);
  for (const chunk of chunks) if (!stream.destroyed) stream.write(chunk);
  stream.end();
  await done;
}

const one = { own: 1, child: 0 } as const;
const two = { own: 2, child: 0 } as const;
const aChild = { own: 0, child: 1 } as const;
const withChild = { own: 1, child: 1 } as const;

export const OPERATIONS: readonly Operation[] = [
  create("create a sparse raw volume", two, () => volumeXml("raw", capacity(4 * MiB, 0)), {
    format: "raw",
    capacityBytes: 4 * MiB,
    zeros: true,
  }),
  // More than is allocated in one step.
  create("create an allocated raw volume", two, () => volumeXml("raw", capacity(12 * MiB, 12 * MiB)), {
    format: "raw",
    capacityBytes: 12 * MiB,
    zeros: true,
    allocated: true,
  }),
  create("create a qcow2 volume", two, () => volumeXml("qcow2", capacity(8 * MiB, 0)), {
    format: "qcow2",
    capacityBytes: 8 * MiB,
    zeros: true,
  }),
  create(
    "create a qcow2 volume with preallocated metadata",
    two,
    () => volumeXml("qcow2", capacity(8 * MiB, 0)),
    { format: "qcow2", capacityBytes: 8 * MiB, zeros: true, metadata: true },
    { preallocateMetadata: true },
  ),
  create(
    "create a fully preallocated qcow2 volume",
    one,
    () => volumeXml("qcow2", capacity(8 * MiB, 8 * MiB)),
    { format: "qcow2", capacityBytes: 8 * MiB, zeros: true, metadata: true, allocated: true },
    { preallocateMetadata: true },
  ),
  create(
    "create a qcow2 volume over another",
    two,
    ({ directory }) =>
      volumeXml(
        "qcow2",
        capacity(16 * MiB, 0),
        `<backingStore><path>${directory}/source.qcow2</path><format type='qcow2'/></backingStore>`,
      ),
    { format: "qcow2", capacityBytes: 16 * MiB, backing: "source.qcow2" },
    { fixtures: ["source.qcow2"] },
  ),
  create("create a directory volume", one, () => volumeXml("dir", capacity(0, 0)), { format: "dir", capacityBytes: 0 }),
  create("create a vmdk volume by qemu-img", withChild, () => volumeXml("vmdk", capacity(8 * MiB, 0)), {
    format: "vmdk",
    capacityBytes: 8 * MiB,
    zeros: true,
  }),
  create("create an encrypted raw volume by qemu-img", aChild, () => volumeXml("raw", capacity(4 * MiB, 0), "", LUKS), {
    format: "luks",
    capacityBytes: 4 * MiB,
  }),
  clone("clone a raw volume by sharing its blocks", two, "sparse.raw", "raw", { fileSystem: "xfs", reflink: true }),
  clone("clone a raw volume by copying", two, "sparse.raw", "raw"),
  clone("clone a qcow2 volume into a raw one", withChild, "source.qcow2", "raw"),
  clone("clone a raw volume into a qcow2 one", withChild, "sparse.raw", "qcow2"),
  clone("clone a qcow2 volume into a qcow2 one", aChild, "source.qcow2", "qcow2"),
  clone("clone a raw volume into an encrypted one", aChild, "old.raw", "raw", {
    encryption: LUKS,
    capacityBytes: OLD.bytes,
  }),
  clone("clone an encrypted volume into a raw one", one, "luks.raw", "raw", { capacityBytes: OLD.bytes }),
  inPlace(
    "grow a raw volume",
    one,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).resize(BigInt(8 * MiB)),
    (path) => promise.resizedRaw(path, { from: "old.raw", newBytes: 8 * MiB }),
  ),
  inPlace(
    "grow a raw volume with its space",
    one,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).resize(BigInt(8 * MiB), { allocate: true }),
    (path) => promise.resizedRaw(path, { from: "old.raw", newBytes: 8 * MiB, allocate: true }),
  ),
  inPlace(
    "shrink a raw volume",
    one,
    "sparse.raw",
    async ({ pool }) => (await pool.lookupVolume("sparse.raw")).resize(BigInt(12 * MiB), { shrink: true }),
    (path) => promise.resizedRaw(path, { from: "sparse.raw", newBytes: 12 * MiB }),
  ),
  inPlace(
    "resize a qcow2 volume",
    aChild,
    "source.qcow2",
    async ({ pool }) => (await pool.lookupVolume("source.qcow2")).resize(BigInt(32 * MiB)),
    (path) => promise.resizedQcow2(path, 16 * MiB, 32 * MiB),
  ),
  inPlace(
    "resize an encrypted raw volume",
    aChild,
    "luks.raw",
    async ({ pool }) => (await pool.lookupVolume("luks.raw")).resize(BigInt(8 * MiB)),
    (path) => promise.resizedLuks(path, OLD.bytes, 8 * MiB),
  ),
  inPlace(
    "wipe a sparse volume",
    two,
    "sparse.raw",
    async ({ pool }) => (await pool.lookupVolume("sparse.raw")).wipe("zero"),
    (path) => promise.overwritten(path, { bytes: 16 * MiB, after: Buffer.alloc(16 * MiB), from: "sparse.raw" }),
  ),
  inPlace(
    "wipe an allocated volume",
    two,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).wipe("zero"),
    (path) => promise.overwritten(path, { bytes: OLD.bytes, after: Buffer.alloc(OLD.bytes), from: "old.raw" }),
  ),
  inPlace(
    "wipe a volume with random bytes",
    one,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).wipe("random"),
    (path) => promise.scrambled(path, OLD),
  ),
  inPlace(
    "wipe a volume by scrub",
    aChild,
    "odd.raw",
    async ({ pool }) => (await pool.lookupVolume("odd.raw")).wipe("nnsa"),
    (path) => promise.scrubbed(path, ODD),
  ),
  inPlace(
    "trim a volume",
    one,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).wipe("trim"),
    (path) => promise.overwritten(path, { bytes: OLD.bytes, after: Buffer.alloc(OLD.bytes), from: "old.raw" }),
  ),
  inPlace(
    "upload",
    two,
    "old.raw",
    async ({ pool }) => {
      const volume = await pool.lookupVolume("old.raw");
      await send(await volume.openUpload({ lengthBytes: BigInt(3 * MiB) }), [uploaded()]);
    },
    (path) => promise.overwritten(path, { bytes: OLD.bytes, after: over(uploaded()), from: "old.raw" }),
  ),
  inPlace(
    "upload with holes",
    one,
    "old.raw",
    async ({ pool }) => {
      const volume = await pool.lookupVolume("old.raw");
      const content = uploaded();
      await send(await volume.openUpload({ lengthBytes: BigInt(3 * MiB), sparse: true }), [
        content.subarray(0, MiB),
        { holeBytes: BigInt(MiB) },
        content.subarray(2 * MiB),
      ]);
    },
    (path) => promise.overwritten(path, { bytes: OLD.bytes, after: over(uploaded()), from: "old.raw" }),
  ),
  inPlace(
    "upload into a sparse volume",
    one,
    "sparse.raw",
    async ({ pool }) => {
      const volume = await pool.lookupVolume("sparse.raw");
      const settings = { offsetBytes: BigInt(SPARSE_OFFSET), lengthBytes: BigInt(3 * MiB) };
      await send(await volume.openUpload(settings), [uploaded()]);
    },
    (path) => promise.overwritten(path, { bytes: 16 * MiB, after: overSparse(), from: "sparse.raw" }),
  ),
  inPlace(
    "upload beyond the end",
    two,
    "old.raw",
    async ({ pool }) => {
      const volume = await pool.lookupVolume("old.raw");
      await send(await volume.openUpload({ offsetBytes: BigInt(BEYOND.offset), lengthBytes: BigInt(3 * MiB) }), [
        uploadedBeyond(),
      ]);
    },
    (path) => promise.lengthened(path, { after: over(uploadedBeyond(), BEYOND), from: "old.raw" }),
  ),
  inPlace(
    "delete a volume",
    one,
    "old.raw",
    async ({ pool }) => (await pool.lookupVolume("old.raw")).delete(),
    (path) => promise.removed(path, OLD),
  ),
  {
    name: "build a pool",
    fileSystem: "ext4",
    points: two,
    fixtures: [],
    volume: "",
    async run({ connection, beside }) {
      await mkdir(beside, { recursive: true });
      const target = `<target><path>${beside}/built</path><permissions><mode>0750</mode><owner>107</owner><group>107</group></permissions></target>`;
      const pool = await connection.definePool(
        `<pool type='dir'><name>built</name><uuid>${BUILT}</uuid>${target}</pool>`,
      );
      await pool.build();
    },
    async inspect({ beside }) {
      const facts = await stat(join(beside, "built")).catch(() => null);
      if (facts === null) return { state: "before", complaints: [] };
      // Building again is how an interrupted one is finished; what may not be is a directory that is open to more than asked.
      const right = facts.isDirectory() && (facts.mode & 0o7027) === 0;
      return { state: "after", complaints: right ? [] : [`the built directory has mode ${facts.mode.toString(8)}`] };
    },
  },
];

/** The old content with the new one over its beginning, or elsewhere. */
function over(
  part: Buffer,
  { offset, bytes }: { offset: number; bytes: number } = { offset: 0, bytes: OLD.bytes },
): Buffer {
  const whole = Buffer.alloc(bytes);
  contentOf(OLD.seed, OLD.bytes).copy(whole);
  part.copy(whole, offset);
  return whole;
}
