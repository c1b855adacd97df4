import { type Difference, describeOutcome, findDifferences } from "./difference.js";
import type { Step } from "./script-run.js";
import type { WantedDifference } from "./wanted-differences.js";

/** Holds what both sides answered against each other and against what is meant to differ, and counts. */
export class Judge {
  readonly #wanted: readonly WantedDifference[];
  readonly #used = new Set<WantedDifference>();
  readonly unwanted: Difference[] = [];
  scripts = 0;
  steps = 0;

  constructor(wanted: readonly WantedDifference[]) {
    this.#wanted = wanted;
  }

  get usedCount(): number {
    return this.#used.size;
  }
  /** Entries that matched nothing yet. */
  get unused(): WantedDifference[] {
    return this.#wanted.filter((entry) => !this.#used.has(entry));
  }

  /** The differences that nobody ordered. */
  judge(script: string, original: readonly Step[], ours: readonly Step[]): Difference[] {
    this.scripts += 1;
    this.steps += original.length;
    const unexpected = findDifferences(script, original, ours).filter((difference) => !this.#isWanted(difference));
    this.unwanted.push(...unexpected);
    return unexpected;
  }

  #isWanted(difference: Difference): boolean {
    const entry = this.#wanted.find(
      ({ script, step, ours }) =>
        script === difference.script && step === difference.step && describeOutcome(difference.ours).includes(ours),
    );
    if (entry !== undefined) this.#used.add(entry);
    return entry !== undefined;
  }
}
