import { expect, it } from "vitest";
import { EarlyWriteback, type File, hostLimits } from "../../dist/host/index.js";

const STEP = BigInt(hostLimits.writebackBytes);

/** Writes out one range at a time, when it is told to. */
function fileThatWaits() {
  const ranges: (readonly [bigint, bigint])[] = [];
  const ends: { done: () => void; failed: (reason: Error) => void }[] = [];
  const startWriteback = (offsetBytes: bigint, lengthBytes: bigint): Promise<void> => {
    ranges.push([offsetBytes, lengthBytes]);
    return new Promise((done, failed) => ends.push({ done, failed }));
  };
  return { file: { startWriteback } as unknown as File, ranges, ends };
}

it("what was written is handed on in ranges worth it, one at a time, and a failure is left to the flush", async () => {
  const { file, ranges, ends } = fileThatWaits();
  const writeback = new EarlyWriteback(file);
  writeback.wrote(5n, STEP);
  expect(ranges).toEqual([]);
  writeback.wrote(STEP, STEP + 5n);
  expect(ranges).toEqual([[5n, STEP]]);
  // A hole between two ranges is no matter; while one is under way, the next only grows.
  writeback.wrote(3n * STEP, 4n * STEP);
  writeback.wrote(4n * STEP, 5n * STEP);
  expect(ranges).toHaveLength(1);
  ends[0]?.failed(new Error("the disk is gone"));
  await new Promise((resolve) => setImmediate(resolve));
  writeback.wrote(5n * STEP, 5n * STEP + 1n);
  expect(ranges.slice(1)).toEqual([[3n * STEP, 2n * STEP + 1n]]);
  ends[1]?.done();
  await new Promise((resolve) => setImmediate(resolve));
  writeback.wrote(6n * STEP, 7n * STEP);
  expect(ranges.slice(2)).toEqual([[6n * STEP, STEP]]);
});
