import { type Prepared, prepared, type Row } from "./row.js";
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
  /** Undefined where the row has no target. */
  readonly met: boolean | undefined;
  /** What was wrong with what cisternd made, for all its speed. */
  readonly complaint: string | null;
}

const UNITS_PER_MS = { µs: 1000, ms: 1 } as const;

/** So long each side works before it is measured: what a daemon does all day is what counts. Large rows take one round. */
const WARM_UP_MS = 1_500;

/** Both sides are warmed up, then they have `rounds` rounds, in which they take turns. */
export async function measure(row: Row, sides: Sides, rounds: number): Promise<Measurement> {
  const first = await prepared(row, sides.cisternd);
  const second = await prepared(row, sides.libvirtd);
  try {
    return await takeTurns(row, rounds, first, second);
  } finally {
    await first.end();
    await second.end();
  }
}

async function takeTurns(row: Row, rounds: number, first: Prepared, second: Prepared): Promise<Measurement> {
  const measured = {
    first: { prepared: first, samples: [] as number[], turn: 0 },
    second: { prepared: second, samples: [] as number[], turn: 0 },
  };
  const sample = async (side: "first" | "second"): Promise<number> => {
    const state = measured[side];
    const elapsedMs = await time(row, state.prepared, state.turn);
    state.turn += row.operations;
    return (elapsedMs / row.operations) * UNITS_PER_MS[row.unit];
  };
  for (const side of ["first", "second"] as const) {
    const untilMs = performance.now() + (row.usesDisk === true ? 0 : WARM_UP_MS);
    do await sample(side);
    while (performance.now() < untilMs);
  }
  for (const order of abba(rounds)) {
    for (const side of order) {
      if (row.runsTwice === true) await sample(side);
      measured[side].samples.push(await sample(side));
    }
  }
  const cisternd = sideOf(measured.first.samples);
  const libvirtd = sideOf(measured.second.samples);
  const ratio = cisternd.median / libvirtd.median;
  const complaint = first.complaint?.() ?? null;
  const met = row.target === undefined ? undefined : ratio <= 1 / row.target && complaint === null;
  return { row, cisternd, libvirtd, ratio, met, complaint };
}

/** Milliseconds of one sample. */
async function time(row: Row, work: Prepared, firstTurn: number): Promise<number> {
  const startedMs = performance.now();
  let ownMs: number | undefined;
  for (let turn = firstTurn; turn < firstTurn + row.operations; turn += 1) {
    const elapsedMs = await work.run(turn);
    if (elapsedMs !== undefined) ownMs = (ownMs ?? 0) + elapsedMs;
  }
  return ownMs ?? performance.now() - startedMs;
}

function sideOf(samples: readonly number[]): Side {
  return { median: median(samples), spread: spread(samples), samples };
}
