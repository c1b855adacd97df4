import type { Point } from "./lane.js";

/** The same seed chooses the same points of the same list. Where one kind has too few, the other has more. */
export function choosePoints(
  points: readonly Point[],
  wanted: { readonly own: number; readonly child: number },
  seed: number,
): Point[] {
  const own = points.filter(({ origin }) => origin === "own");
  const children = points.filter(({ origin }) => origin === "child");
  const ownMissing = Math.max(0, wanted.own - own.length);
  const childrenMissing = Math.max(0, wanted.child - children.length);
  return [...spread(own, wanted.own + childrenMissing, seed), ...spread(children, wanted.child + ownMissing, seed)];
}

/** `count` of them, evenly spread, the first one by the seed: over many seeds each is taken equally often. */
function spread<T>(values: readonly T[], count: number, seed: number): T[] {
  if (values.length <= count) return [...values];
  const start = (seed * 0x9e3779b1) >>> 0;
  const chosen = Array.from(
    { length: count },
    (_, index) => (start + Math.floor((index * values.length) / count)) % values.length,
  );
  return chosen.sort((a, b) => a - b).flatMap((index) => values[index] ?? []);
}
