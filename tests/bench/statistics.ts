/** Of an odd number of samples the middle one, of an even number the mean of the middle two. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError("the median of no samples");
  return (lower + upper) / 2;
}

/** Half the distance between the quartiles, as a share of the median: how much a row can be trusted. */
export function spread(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return (at(0.75) - at(0.25)) / 2 / median(samples);
}

/** ABBA…: each side goes first equally often, so that what drifts (clock, caches, heat) falls on both. */
export function abba(rounds: number): readonly ("first" | "second")[][] {
  return Array.from({ length: rounds }, (_, round) => (round % 2 === 0 ? ["first", "second"] : ["second", "first"]));
}
