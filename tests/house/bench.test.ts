import { describe, expect, it } from "vitest";
import { abba, median, spread } from "../bench/statistics.js";

describe("the bench's arithmetic", () => {
  it.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 100], 3.5],
  ])("the median of %j is %d", (samples, expected) => {
    expect(median(samples)).toBe(expected);
  });

  it("has no median of nothing", () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it("the spread is half the distance of the quartiles, as a share of the median", () => {
    expect(spread([80, 90, 100, 110, 120])).toBeCloseTo(0.1);
    expect(spread([7, 7, 7])).toBe(0);
  });

  it("lets each side go first equally often", () => {
    expect(abba(4).map(([first]) => first)).toEqual(["first", "second", "first", "second"]);
    expect(abba(3).every((round) => new Set(round).size === 2)).toBe(true);
  });
});
