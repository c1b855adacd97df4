import type { Row, Stage } from "./rows.js";
import type { Sides } from "./sides.js";
import { abba, median, spread } from "./statistics.js";

export interface Side {
  /** In the row's unit, of one operation. */
  readonly median: number;
  /** Half the distance between the quartiles, as a share of the median. */
  readonly spread: number;
  readonly samples: readonly number[];
}

export interface Measurement {
  readonly row: Row;
  readonly cisternd: Side;
  readonly libvirtd: Side;
  /** cisternd's median over libvirtd's: below 1, cisternd is faster. */
  readonly ratio: number;
}

const UNITS_PER_MS = { µs: 1000, ms: 1 } as const;

/** One round each to warm up, then `rounds` rounds in which the sides take turns. */
export async function measure(row: Row, sides: Sides, rounds: number): Promise<Measurement> {
  const measured = {
    first: { stage: sides.cisternd, samples: [] as number[], turn: 0 },
    second: { stage: sides.libvirtd, samples: [] as number[], turn: 0 },
  };
  const sample = async (side: "first" | "second"): Promise<number> => {
    const state = measured[side];
    const elapsedMs = await time(row, state.stage, state.turn);
    state.turn += row.operations;
    return (elapsedMs / row.operations) * UNITS_PER_MS[row.unit];
  };
  await sample("first");
  await sample("second");
  for (const order of abba(rounds)) {
    for (const side of order) measured[side].samples.push(await sample(side));
  }
  const cisternd = sideOf(measured.first.samples);
  const libvirtd = sideOf(measured.second.samples);
  return { row, cisternd, libvirtd, ratio: cisternd.median / libvirtd.median };
}

/** Milliseconds of one sample. */
async function time(row: Row, stage: Stage, firstTurn: number): Promise<number> {
  const startedMs = performance.now();
  let ownMs: number | undefined;
  for (let turn = firstTurn; turn < firstTurn + row.operations; turn += 1) {
    const elapsedMs = await row.run(stage, turn);
    if (elapsedMs !== undefined) ownMs = (ownMs ?? 0) + elapsedMs;
  }
  return ownMs ?? performance.now() - startedMs;
}

function sideOf(samples: readonly number[]): Side {
  return { median: median(samples), spread: spread(samples), samples };
}
