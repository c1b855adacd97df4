import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { pool, volume } from "./documents.js";
import { create, Laboratory } from "./laboratory.js";

/**
 * A thin guest disk in more pieces than anybody wants to keep in memory, and far larger than its file system. With blocks of
 * 1 KiB so many pieces are made in a second.
 */
const PIECES = 101_000;
const PIECE_BYTES = 1_024;
const CAPACITY_BYTES = 20 * 1_073_741_824;
const DATA_BYTES = BigInt(PIECES * PIECE_BYTES);
const FILE_SYSTEM_BYTES = 256 * 1_048_576;
const TIMEOUT_MS = 120_000;
const [ZERO, RANDOM] = [0, 8];

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

/** Each second block, and the last: between them, and before that one, are holes. */
function inPieces(path: string): void {
  const piece = Buffer.alloc(PIECE_BYTES, 1);
  const fd = openSync(path, "w");
  for (let at = 0; at < PIECES - 1; at++) writeSync(fd, piece, 0, PIECE_BYTES, 2 * at * PIECE_BYTES);
  writeSync(fd, piece, 0, PIECE_BYTES, CAPACITY_BYTES - PIECE_BYTES);
  closeSync(fd);
  truncateSync(path, CAPACITY_BYTES);
  execFileSync("sync", [path]);
}
const allocated = (path: string): number => {
  execFileSync("sync", [path]);
  return statSync(path).blocks * 512;
};
function bytesAt(path: string, offset: number): Set<number> {
  const bytes = Buffer.alloc(PIECE_BYTES);
  const fd = openSync(path, "r");
  readSync(fd, bytes, 0, PIECE_BYTES, offset);
  closeSync(fd);
  return new Set(bytes);
}
const LAST = CAPACITY_BYTES - PIECE_BYTES;

const reason = missing(loopRequirements("ext4"));
const wanted = volume("a", { capacityBytes: BigInt(CAPACITY_BYTES), allocationBytes: 0n });

async function sourceIn(
  mountPoint: string,
): Promise<{ document: VolumeDocument; path: string; allocatedBytes: number }> {
  const document = await create(directoryDriver, pool("dir", mountPoint), wanted, await laboratory.context());
  const path = join(mountPoint, "a");
  inPieces(path);
  return { document, path, allocatedBytes: allocated(path) };
}
const mounted = (): string =>
  laboratory.keep(mountLoop("ext4", FILE_SYSTEM_BYTES, ["-b", `${PIECE_BYTES}`])).mountPoint;

/** It goes up to what there is, and no further. */
function expectProgress(): void {
  const { progress } = laboratory;
  expect(progress.every(([done, total]) => done <= total && total === DATA_BYTES)).toBe(true);
  expect(progress.every(([done], at) => at === 0 || done >= (progress[at - 1]?.[0] ?? 0n))).toBe(true);
  expect(progress.at(-1)).toEqual([DATA_BYTES, DATA_BYTES]);
}

test(
  "a clone takes the room of its source's data, and has its holes, whatever the number of pieces",
  async (context) => {
    context.skip(reason !== null, reason ?? "");
    const mountPoint = mounted();
    const { document, allocatedBytes } = await sourceIn(mountPoint);
    const definition = pool("dir", mountPoint);
    const copy = { ...wanted, name: "copy" };
    await create(directoryDriver, definition, copy, await laboratory.context(), { source: document });
    expectProgress();
    const path = join(mountPoint, "copy");
    expect(Math.abs(allocated(path) - allocatedBytes)).toBeLessThan(1_048_576);
    for (const at of [0, 2 * (PIECES - 2) * PIECE_BYTES, LAST]) expect(bytesAt(path, at)).toEqual(new Set([1]));
    for (const at of [1, 2 * (PIECES - 2) + 1]) expect(bytesAt(path, at * PIECE_BYTES)).toEqual(new Set([0]));
  },
  TIMEOUT_MS,
);

test(
  "a wipe fills no hole, whatever the number of pieces",
  async (context) => {
    context.skip(reason !== null, reason ?? "");
    const mountPoint = mounted();
    const { document, path, allocatedBytes } = await sourceIn(mountPoint);
    const wipe = async (algorithm: number): Promise<void> => {
      laboratory.progress.length = 0;
      const wiping = await laboratory.context();
      await directoryDriver.volumes?.wipe?.(pool("dir", mountPoint), document, algorithm, wiping);
      expectProgress();
    };
    await wipe(RANDOM);
    expect(allocated(path)).toBe(allocatedBytes);
    for (const at of [0, 2 * (PIECES - 2) * PIECE_BYTES, LAST]) expect(bytesAt(path, at).size).toBeGreaterThan(100);
    await wipe(ZERO);
    expect(allocated(path)).toBe(0);
    expect(statSync(path).size).toBe(CAPACITY_BYTES);
  },
  TIMEOUT_MS,
);
