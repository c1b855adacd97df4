import { execFile } from "node:child_process";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Pool } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { loopRequirements } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { filesBelow, RootedDaemon } from "../support/rooted-daemon.js";
import { OPERATIONS, type Operation, SECRET } from "./operations.js";
import { SmallDisk } from "./small-disk.js";

/**
 * An operation that does not fit says so, with the bytes it needed and those that were free, and undoes what it did: no file,
 * no temporary one, the space free as before, the pool's numbers right. With space, the same operation then succeeds. One that
 * needs none succeeds on a full disk.
 *
 *   CISTERN_FULL_DISK_OPERATION='cloning a raw volume' npx vitest run --project full-disk
 */
const ONLY_OPERATION = process.env["CISTERN_FULL_DISK_OPERATION"];
const MiB = 1024 * 1024;
const SCAN_MS = 10_000;
/** The smallest that is worth filling; mkfs.xfs takes none below its default here. */
const EXT4_BYTES = 96 * MiB;
const FILE_SYSTEMS = ["ext4", "xfs"] as const;
type FileSystem = (typeof FILE_SYSTEMS)[number];

const REQUIREMENTS = [{ root: true, programs: ["qemu-img", "findmnt"] }, ...FILE_SYSTEMS.map(loopRequirements)];
const unavailable = REQUIREMENTS.map(missing).find((reason) => reason !== null) ?? null;

let daemon: RootedDaemon;
let disks: Readonly<Record<FileSystem, SmallDisk>>;
let pools: Readonly<Record<FileSystem, Pool>>;
let quiet: readonly string[];

beforeAll(async () => {
  if (unavailable !== null) return;
  daemon = await RootedDaemon.prepare(await mkdtemp(join(tmpdir(), "cistern-full-")));
  disks = { ext4: new SmallDisk("ext4", EXT4_BYTES), xfs: new SmallDisk("xfs") };
  await daemon.start();
  const connection = await daemon.connect();
  const secret = await connection.defineSecret(`<secret ephemeral='no' private='no'><uuid>${SECRET}</uuid></secret>`);
  await secret.setValue(Buffer.from("open sesame"));
  pools = {
    ext4: await startedPool(connection, "ext4", disks.ext4.pool),
    xfs: await startedPool(connection, "xfs", disks.xfs.pool),
  };
  quiet = await filesBelow(join(daemon.root, "var"));
});
afterAll(async () => {
  await daemon?.stop();
  for (const type of FILE_SYSTEMS) disks?.[type][Symbol.dispose]();
  if (daemon !== undefined) await rm(daemon.root, { recursive: true, force: true });
});

type Case = readonly [type: FileSystem, name: string, freeBytes: number, operation: Operation];
const casesOf = (levels: (operation: Operation) => readonly number[]): Case[] =>
  OPERATIONS.filter(({ name }) => ONLY_OPERATION === undefined || name === ONLY_OPERATION).flatMap((operation) =>
    operation.fileSystems.flatMap((type) =>
      levels(operation).map((free): Case => [type as FileSystem, operation.name, free, operation]),
    ),
  );
const cases = casesOf(({ tooLittle }) => tooLittle);
const fitting = casesOf(({ enough = [] }) => enough);

function skipWithout({ programs = [] }: Operation, context: TestContext): void {
  const reason = unavailable ?? missing({ programs });
  context.skip(reason !== null, reason ?? "");
}

describe("on a full disk", () => {
  it.for(cases)("%s: %s with %d bytes free fails and leaves nothing", async ([type, , free, operation], context) => {
    skipWithout(operation, context);
    const disk = disks[type];
    const pool = pools[type];
    await fillUp(disk, pool, operation, free);
    const before = await facts(disk, pool);
    const usableBytes = await disk.usableBytes();

    const error = await operation.run(pool).then(
      () => null,
      (failure: unknown) => failure,
    );
    expect.soft(error, "it succeeded").toBeInstanceOf(LibvirtError);
    if (error instanceof LibvirtError) expectToSayWhy(error, operation, { usableBytes, slackBytes: disk.slackBytes });

    const isInPlace = operation.inPlace === true;
    const freeBytes = isInPlace ? await disk.freeBytes() : await disk.settledFreeBytes(before.freeBytes);
    if (operation.takesWhatIsThere === true) await scannedAgain(disk, pool, freeBytes);
    const after = await facts(disk, pool);
    if (operation.isImage !== true) expect.soft(after.files).toEqual(before.files);
    expect.soft(after.volumes).toEqual(before.volumes);
    expect.soft(after.leftovers).toEqual(quiet);
    if (!isInPlace) {
      expect.soft(Math.abs(freeBytes - before.freeBytes), "free space").toBeLessThanOrEqual(disk.slackBytes);
    }
    expect.soft(Math.abs(after.availableBytes - freeBytes), "what the pool has").toBeLessThanOrEqual(disk.slackBytes);
    expect.soft(after.allocationBytes + after.availableBytes).toBe(await disk.capacityBytes());

    await disk.empty();
    await pool.refresh();
    await operation.run(pool);
  });

  it.for(fitting)("%s: %s needs none of %d bytes free, and succeeds", async ([type, , free, operation], context) => {
    skipWithout(operation, context);
    const disk = disks[type];
    const pool = pools[type];
    await fillUp(disk, pool, operation, free);
    await operation.run(pool);
    expect(await filesBelow(join(daemon.root, "var"))).toEqual(quiet);
    await disk.empty();
  });

  it.for([
    ["creations", []],
    ["clones", ["source.raw"]],
  ] as const)("of two %s that do not fit together, one succeeds", async ([, sources], context) => {
    context.skip(unavailable !== null, unavailable ?? "");
    const disk = disks.ext4;
    const pool = pools.ext4;
    const files = sources.map((name) => ({ name, dataBytes: 16 * MiB, sizeBytes: 16 * MiB }));
    await prepare(disk, pool, { files });
    await disk.fill(24 * MiB);
    await pool.refresh();
    const connections = await Promise.all([daemon.connect(), daemon.connect()]);
    const outcomes = await Promise.allSettled(
      connections.map(async (connection, index) => {
        const own = await connection.lookupPool(pool.name);
        const size = sources.length === 0 ? 16 * MiB : 0;
        const xml = `<volume><name>new-${index}</name><capacity>${size}</capacity><allocation>${size}</allocation></volume>`;
        const [source] = sources;
        if (source === undefined) await own.createVolume(xml);
        else await own.cloneVolume(xml, await own.lookupVolume(source));
        return `new-${index}`;
      }),
    );
    const made = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(made).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect.soft(outcome.reason.message).toContain("No space left on device");
    }
    expect((await readdir(disk.pool)).sort()).toEqual([...made, ...sources].sort());
    expect((await pool.listVolumes()).map(({ name }) => name)).toEqual([...made, ...sources].sort());
  });
});

/** 38 is the system's error; 1 is libvirt's for a program that failed, 9 for an operation that did. */
function expectToSayWhy(
  error: LibvirtError,
  { otherWords, takesWhatIsThere }: Operation,
  { usableBytes, slackBytes }: { readonly usableBytes: number; readonly slackBytes: number },
): void {
  expect.soft([1, 9, 38]).toContain(error.code);
  if (otherWords?.test(error.message)) return;
  expect.soft(error.message).toContain("No space left on device");
  const numbers = [...error.message.matchAll(/\((\d+) bytes needed, (\d+) bytes free\)/g)];
  expect.soft(numbers, error.message).toHaveLength(1);
  const [needed, free] = (numbers[0] ?? []).slice(1).map(Number);
  if (needed === undefined || free === undefined) return;
  expect.soft(needed, "the bytes needed").toBeGreaterThan(0);
  expect.soft(free, "the bytes free").toBeLessThanOrEqual(usableBytes + slackBytes);
  if (takesWhatIsThere === true) return;
  expect.soft(free, "the bytes free").toBeGreaterThanOrEqual(usableBytes - slackBytes);
  expect.soft(needed, "more is needed than is free").toBeGreaterThan(free);
}

/** After an upload the pool is scanned, and its client has its answer before. */
async function scannedAgain(disk: SmallDisk, pool: Pool, freeBytes: number): Promise<void> {
  const offBytes = async (): Promise<number> => Math.abs(Number((await pool.info()).availableBytes) - freeBytes);
  await expect.poll(offBytes, { timeout: SCAN_MS, message: "what the pool has" }).toBeLessThanOrEqual(disk.slackBytes);
}

async function facts(disk: SmallDisk, pool: Pool) {
  const names = (await readdir(disk.pool)).sort();
  const { allocationBytes, availableBytes } = await pool.info();
  return {
    freeBytes: await disk.freeBytes(),
    files: await Promise.all(names.map(async (name) => `${name}: ${(await stat(join(disk.pool, name))).size} bytes`)),
    volumes: await Promise.all(
      (await pool.listVolumes()).map(async (volume) => `${volume.name}: ${(await volume.info()).capacityBytes} bytes`),
    ),
    leftovers: await filesBelow(join(daemon.root, "var")),
    allocationBytes: Number(allocationBytes),
    availableBytes: Number(availableBytes),
  };
}

/** A pool with the operation's files and nothing else, on a disk with only so many bytes free. */
async function fillUp(disk: SmallDisk, pool: Pool, operation: Operation, freeBytes: number): Promise<void> {
  await prepare(disk, pool, operation);
  await disk.fill(freeBytes);
  await pool.refresh();
}

/** A pool with these files and nothing else, on a disk with space. */
async function prepare(disk: SmallDisk, pool: Pool, { files }: Pick<Operation, "files">): Promise<void> {
  await disk.empty();
  for (const name of await readdir(disk.pool)) await rm(join(disk.pool, name), { recursive: true });
  for (const { name, dataBytes, sizeBytes, qcow2 } of files) {
    const path = join(disk.pool, name);
    const raw = qcow2 ? join(daemon.root, "raw") : path;
    await using file = await open(raw, "w");
    await file.truncate(sizeBytes);
    if (dataBytes > 0) await file.write(Buffer.alloc(dataBytes, "data"), 0, dataBytes, 0);
    if (qcow2) await promisify(execFile)("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, path]);
  }
  await pool.refresh();
}
