import { buffer } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type { Pool } from "@cistern/client";
import type { LoopType } from "../support/loop.js";

const MiB = 1024 * 1024;

/** An operation that needs space, with what the pool holds before. */
export interface Operation {
  readonly name: string;
  readonly fileSystems: readonly LoopType[];
  /** Free bytes with which it cannot succeed: each makes it fail at another stage. */
  readonly tooLittle: readonly number[];
  /** With which it can: it needs no new block, or only what the file system has ready. */
  readonly enough?: readonly number[];
  readonly programs?: readonly string[];
  /** Files of the pool before, by name: how much of each is data, and how long it is. */
  readonly files: readonly {
    readonly name: string;
    readonly dataBytes: number;
    readonly sizeBytes: number;
    readonly qcow2?: true;
  }[];
  /** What was written so far may stay; the length may not change. */
  readonly inPlace?: true;
  /** An upload: how much it needs is only seen as it comes, and what is free is told of then and not of before. */
  readonly takesWhatIsThere?: true;
  /** A file that is longer after the failure has the old capacity all the same. */
  readonly isImage?: true;
  /** Other words of libvirt for the same: a check of its own that comes first. */
  readonly otherWords?: RegExp;
  run(pool: Pool): Promise<unknown>;
}

const LEVELS = [0, 64 * 1024, MiB, 8 * MiB, 15 * MiB];
const SOURCE = { name: "source.raw", dataBytes: 16 * MiB, sizeBytes: 16 * MiB } as const;
const SPARSE = { name: "sparse.raw", dataBytes: 0, sizeBytes: 16 * MiB } as const;

/** A sparse disk with something in it, in blocks that are written. */
const PARTLY = { name: "partly.raw", dataBytes: 4 * MiB, sizeBytes: 16 * MiB } as const;
const QCOW2 = { ...SOURCE, name: "source.qcow2", qcow2: true } as const;
export const SECRET = "5a1b9d7e-8a3f-4c55-9c0b-0f4a6f3f0e21";
const ENCRYPTION = `<encryption format='luks'><secret type='passphrase' uuid='${SECRET}'/></encryption>`;

function xml(format: string, capacity: number, allocation: number, more = ""): string {
  return `<volume><name>new</name><capacity>${capacity}</capacity><allocation>${allocation}</allocation><target><format type='${format}'/>${more}</target></volume>`;
}

const clone = (format: string, source: string) => async (pool: Pool) =>
  pool.cloneVolume(xml(format, 0, 0), await pool.lookupVolume(source));

const upload = (sparse: boolean) => async (pool: Pool) => {
  const stream = await (await pool.lookupVolume(SPARSE.name)).openUpload({ sparse });
  const done = finished(stream);
  // It may fail while there is still something to send.
  done.catch(() => {});
  const chunk = Buffer.alloc(MiB, "content");
  for (let sent = 0; sent < 15 && !stream.destroyed; sent++) {
    if (sparse && sent === 2) stream.write({ holeBytes: BigInt(MiB) });
    else stream.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!stream.destroyed) stream.end(chunk);
  await done;
};

export const OPERATIONS: readonly Operation[] = [
  {
    name: "creating an allocated raw volume",
    fileSystems: ["ext4", "xfs"],
    tooLittle: LEVELS,
    files: [],
    run: (pool) => pool.createVolume(xml("raw", 16 * MiB, 16 * MiB)),
  },
  {
    name: "creating a qcow2 volume with preallocated metadata",
    fileSystems: ["ext4"],
    // 32 tables of 64 KiB and the reference counts.
    tooLittle: [0, 64 * 1024, MiB],
    files: [],
    run: (pool) => pool.createVolume(xml("qcow2", 16 * 1024 * MiB, 0), { preallocateMetadata: true }),
  },
  {
    name: "creating a vmdk volume",
    fileSystems: ["ext4"],
    tooLittle: [0],
    // qemu-img 7.2 trips over its own error here, before it can say it.
    otherWords: /error_setv: Assertion/,
    files: [],
    run: (pool) => pool.createVolume(xml("vmdk", 16 * 1024 * MiB, 0)),
  },
  {
    name: "cloning a raw volume",
    fileSystems: ["ext4"],
    tooLittle: LEVELS,
    files: [SOURCE],
    run: clone("raw", SOURCE.name),
  },
  {
    name: "cloning a raw volume into a qcow2 one",
    fileSystems: ["ext4", "xfs"],
    tooLittle: LEVELS,
    files: [SOURCE],
    run: clone("qcow2", SOURCE.name),
  },
  {
    name: "cloning a qcow2 volume into a raw one",
    fileSystems: ["ext4"],
    tooLittle: LEVELS,
    files: [QCOW2],
    run: clone("raw", QCOW2.name),
  },
  {
    name: "cloning a qcow2 volume into another",
    fileSystems: ["ext4"],
    tooLittle: LEVELS,
    files: [QCOW2],
    run: clone("qcow2", QCOW2.name),
  },
  {
    name: "creating an encrypted volume",
    fileSystems: ["ext4"],
    // It is a quarter of that; the daemon has qemu-img make no image with less than a MiB.
    tooLittle: [MiB / 2],
    files: [],
    run: (pool) => pool.createVolume(xml("raw", 16 * MiB, 0, ENCRYPTION)),
  },
  {
    name: "cloning a raw volume into an encrypted one",
    fileSystems: ["ext4"],
    tooLittle: [8 * MiB],
    files: [SOURCE],
    run: async (pool) => pool.cloneVolume(xml("raw", 0, 0, ENCRYPTION), await pool.lookupVolume(SOURCE.name)),
  },
  {
    name: "creating a qcow2 volume",
    fileSystems: ["ext4", "xfs"],
    // Its header and tables are four clusters, of which little is written.
    tooLittle: [0],
    files: [],
    run: (pool) => pool.createVolume(xml("qcow2", 16 * MiB, 0)),
  },
  {
    name: "creating a qcow2 volume that is preallocated in full",
    fileSystems: ["ext4", "xfs"],
    tooLittle: LEVELS,
    files: [],
    run: (pool) => pool.createVolume(xml("qcow2", 16 * MiB, 16 * MiB), { preallocateMetadata: true }),
  },
  {
    name: "creating a sparse raw volume",
    fileSystems: ["ext4"],
    tooLittle: [],
    enough: [0],
    files: [],
    run: (pool) => pool.createVolume(xml("raw", 16 * MiB, 0)),
  },
  {
    name: "creating a directory",
    fileSystems: ["ext4"],
    tooLittle: [0],
    files: [],
    run: (pool) => pool.createVolume(xml("dir", 0, 0)),
  },
  {
    name: "growing a qcow2 volume by a table",
    fileSystems: ["ext4"],
    // The table of 64 TiB.
    tooLittle: [0, 64 * 1024, MiB / 2],
    files: [QCOW2],
    inPlace: true,
    isImage: true,
    run: async (pool) => (await pool.lookupVolume(QCOW2.name)).resize(64n * 1024n ** 4n),
  },
  {
    name: "growing a qcow2 volume within its table",
    fileSystems: ["ext4"],
    tooLittle: [],
    enough: [0],
    files: [QCOW2],
    run: async (pool) => (await pool.lookupVolume(QCOW2.name)).resize(BigInt(24 * MiB)),
  },
  {
    name: "wiping a sparse volume with scrub",
    fileSystems: ["ext4"],
    tooLittle: [0, MiB, 8 * MiB],
    programs: ["scrub"],
    files: [PARTLY],
    inPlace: true,
    run: async (pool) => (await pool.lookupVolume(PARTLY.name)).wipe("nnsa"),
  },
  {
    name: "wiping a sparse volume with zeros",
    fileSystems: ["ext4", "xfs"],
    tooLittle: [],
    enough: [0],
    files: [PARTLY],
    run: async (pool) => (await pool.lookupVolume(PARTLY.name)).wipe("zero"),
  },
  {
    name: "wiping a sparse volume with random bytes",
    fileSystems: ["ext4", "xfs"],
    tooLittle: [],
    enough: [0],
    files: [PARTLY],
    run: async (pool) => (await pool.lookupVolume(PARTLY.name)).wipe("random"),
  },
  {
    name: "downloading",
    fileSystems: ["ext4"],
    tooLittle: [],
    enough: [0],
    files: [SOURCE],
    run: async (pool) => {
      const content = await buffer(await (await pool.lookupVolume(SOURCE.name)).openDownload());
      if (content.length !== SOURCE.sizeBytes) throw new Error(`${content.length} bytes came`);
    },
  },
  {
    name: "uploading into a sparse volume",
    fileSystems: ["ext4", "xfs"],
    tooLittle: LEVELS,
    files: [SPARSE],
    inPlace: true,
    takesWhatIsThere: true,
    run: upload(false),
  },
  {
    name: "uploading with holes into a sparse volume",
    fileSystems: ["ext4"],
    tooLittle: [0, 64 * 1024, MiB, 8 * MiB],
    files: [SPARSE],
    inPlace: true,
    takesWhatIsThere: true,
    run: upload(true),
  },
  {
    name: "growing a volume with its space",
    fileSystems: ["ext4", "xfs"],
    tooLittle: LEVELS,
    files: [{ ...SOURCE, name: "grown.raw", dataBytes: 4 * MiB, sizeBytes: 4 * MiB }],
    inPlace: true,
    otherWords: /Not enough space left in storage pool/,
    run: async (pool) => (await pool.lookupVolume("grown.raw")).resize(BigInt(24 * MiB), { allocate: true }),
  },
];
