import { isDeepStrictEqual } from "node:util";
import type { Step } from "./script-run.js";

/** A step whose outcome is not the same on both sides; undefined where a side did not come to it. */
export interface Difference {
  readonly script: string;
  readonly step: string;
  readonly original: unknown;
  readonly ours: unknown;
}

/** Pairs the steps of both sides by label, the n-th of a label with the n-th, and hands back the pairs that differ. */
export function findDifferences(script: string, original: readonly Step[], ours: readonly Step[]): Difference[] {
  const theirs = byLabel(original);
  const mine = byLabel(ours);
  const differences: Difference[] = [];
  for (const [step, outcome] of theirs) {
    if (!isDeepStrictEqual(outcome, mine.get(step))) {
      differences.push({ script, step, original: outcome, ours: mine.get(step) });
    }
  }
  for (const [step, outcome] of mine) {
    if (!theirs.has(step)) differences.push({ script, step, original: undefined, ours: outcome });
  }
  return differences;
}

function byLabel(steps: readonly Step[]): Map<string, unknown> {
  const counts = new Map<string, number>();
  const outcomes = new Map<string, unknown>();
  for (const { label, outcome } of steps) {
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    outcomes.set(count === 1 ? label : `${label} #${count}`, outcome);
  }
  return outcomes;
}

/** A difference for people to read, one line per side. */
export function describeDifference(difference: Difference): string {
  return [
    `${difference.script}: ${difference.step}`,
    `  libvirtd: ${describeOutcome(difference.original)}`,
    `  cisternd: ${describeOutcome(difference.ours)}`,
  ].join("\n");
}

/** An outcome as text: its JSON, or that there is none. */
export function describeOutcome(outcome: unknown): string {
  return outcome === undefined ? "(did not come to this step)" : JSON.stringify(outcome);
}
