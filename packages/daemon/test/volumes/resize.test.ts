import { readVolume } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { refuseZeroCapacity, resizedCapacity } from "../../dist/volumes/resize.js";

const ALLOCATE = 1;
const DELTA = 2;
const SHRINK = 4;
const volume = readVolume(
  "<volume><name>v</name><capacity>8192</capacity><allocation>4096</allocation></volume>",
  "dir",
  { capacity: "required" },
);

describe("the capacity that a resize asks for", () => {
  it.each([
    ["larger", 10000n, 0, 10000n],
    ["the same", 8192n, 0, 8192n],
    ["by a delta", 100n, DELTA, 8292n],
    ["smaller, with leave", 5000n, SHRINK, 5000n],
    ["smaller by a delta", 4096n, DELTA | SHRINK, 4096n],
  ])("%s", (_what, requested, flags, expected) => {
    const plan = resizedCapacity(volume, requested, flags, 10n ** 9n);
    expect(plan.capacityBytes).toBe(expected);
    expect(plan.driverFlags & DELTA).toBe(0);
  });

  it.each([
    [
      "below the allocation, even with leave",
      100n,
      SHRINK,
      "invalid argument: can't shrink capacity below existing allocation",
    ],
    [
      "a delta larger than the volume",
      99999n,
      DELTA | SHRINK,
      "invalid argument: can't shrink capacity below existing allocation",
    ],
    [
      "smaller without leave",
      5000n,
      0,
      "invalid argument: Can't shrink capacity below current capacity unless shrink flag explicitly specified",
    ],
    ["more than the pool has", 20000n, ALLOCATE, "operation failed: Not enough space left in storage pool"],
  ])("refuses %s", (_what, requested, flags, message) => {
    expect(() => resizedCapacity(volume, requested, flags, 1000n)).toThrow(message);
  });

  it("lets a volume grow that takes more room than it holds, up to less than that room", () => {
    const full = { ...volume, allocationBytes: 10_000n };
    expect(resizedCapacity(full, 9_000n, 0, 0n).capacityBytes).toBe(9_000n);
    expect(() => resizedCapacity(full, 8_000n, SHRINK, 0n)).toThrow("can't shrink capacity below existing allocation");
  });

  it("refuses a capacity of nothing unless it is a difference or a leave to shrink", () => {
    expect(() => refuseZeroCapacity(0n, 0)).toThrow("cannot be zero without 'delta' or 'shrink' flags set");
    expect(() => refuseZeroCapacity(0n, DELTA)).not.toThrow();
    expect(() => refuseZeroCapacity(0n, SHRINK)).not.toThrow();
  });
});
