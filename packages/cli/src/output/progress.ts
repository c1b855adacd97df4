import { formatDuration } from "./duration.js";
import { formatSize } from "./size.js";
import { printable } from "./text.js";
import { columnsOf, displayWidth, fitToWidth, shorten } from "./width.js";

/** How far something is. */
export interface ProgressFacts {
  /** What is done: "upload volume 'a' of pool 'p'". */
  readonly title: string;
  /** What there is to say instead of numbers: "queued". */
  readonly state?: string | null;
  readonly doneBytes: bigint;
  /** null: not known. */
  readonly totalBytes: bigint | null;
  /** 0: nothing moves, or it is not known. */
  readonly bytesPerSecond: bigint;
  /** null: cannot be told. */
  readonly remainingSeconds: number | null;
}

type Stream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

const CLEAR_LINE = "\r\u001b[K";
const REDRAW_MS = 100;
/** Where lines are kept (a log), progress alone is no reason for one more often than this. */
const PLAIN_INTERVAL_MS = 5_000;
/** How far something is, on one line that is drawn over on a terminal; elsewhere on a line every few seconds. */
export class Progress {
  readonly #stream: Stream;
  readonly #isQuiet: boolean;
  #shownMs: number;
  #isDrawn = false;

  constructor(stream: Stream, isQuiet = false) {
    this.#stream = stream;
    this.#isQuiet = isQuiet;
    this.#shownMs = stream.isTTY === true ? Number.NEGATIVE_INFINITY : performance.now();
  }

  show(facts: ProgressFacts): void {
    const isTerminal = this.#stream.isTTY === true;
    const nowMs = performance.now();
    if (this.#isQuiet || nowMs - this.#shownMs < (isTerminal ? REDRAW_MS : PLAIN_INTERVAL_MS)) return;
    this.#shownMs = nowMs;
    if (!isTerminal) this.#stream.write(`${formatProgress(facts)}\n`);
    else {
      this.#isDrawn = true;
      this.#stream.write(CLEAR_LINE + drawProgress(facts, columnsOf(this.#stream)));
    }
  }

  /** Leaves the line clean for what follows. */
  end(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

/** "upload a: 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, 6 s left"; "clone a: under way" where nothing else is known. */
export function formatProgress(facts: ProgressFacts): string {
  const known = [facts.state, ...amounts(facts)].filter(isSaid);
  return `${printable(facts.title)}: ${known.length === 0 ? "under way" : known.join(", ")}`;
}

/** The bar's narrowest and widest. */
const BAR = { least: 10, most: 30 } as const;
const END_OF_LINE = 1;

/**
 * One line of at most so many columns: "upload a  [#####     ]  1.00 GiB of 2.00 GiB (50 %), 512.00 MiB/s, 6 s left". A line
 * that wraps could not be drawn over: where room is short the bar goes first, then the title; everybody watches the numbers.
 */
export function drawProgress(facts: ProgressFacts, columns: number): string {
  const room = columns - END_OF_LINE;
  const title = printable(facts.title);
  const numbers = [facts.state, ...amounts(facts)].filter(isSaid).join(", ");
  const forBar = room - displayWidth(title) - displayWidth(numbers) - "  []  ".length;
  const parts = [shorten(title, room - displayWidth(numbers) - 2)];
  if (facts.totalBytes !== null && forBar >= BAR.least) {
    parts.push(formatBar(facts.doneBytes, facts.totalBytes, Math.min(forBar, BAR.most)));
  }
  return fitToWidth([...parts, numbers].filter(isSaid).join("  "), room);
}

/** "[####      ]", without the brackets so many columns wide. */
export function formatBar(done: bigint, total: bigint, columns: number): string {
  const share = total === 0n ? 0 : Math.min(1, Number((done * 1000n) / total) / 1000);
  const filled = Math.round(share * columns);
  return `[${"#".repeat(filled)}${" ".repeat(columns - filled)}]`;
}

/** "1.00 GiB of 4.00 GiB (25 %)"; null: nothing was moved, and it is not known how much there is. */
export function formatDone(doneBytes: bigint, totalBytes: bigint | null): string | null {
  if (totalBytes === null || totalBytes === 0n) return doneBytes === 0n ? null : formatSize(doneBytes);
  return `${formatSize(doneBytes)} of ${formatSize(totalBytes)} (${(doneBytes * 100n) / totalBytes} %)`;
}

function amounts({ doneBytes, totalBytes, bytesPerSecond, remainingSeconds }: ProgressFacts): (string | null)[] {
  return [
    formatDone(doneBytes, totalBytes),
    bytesPerSecond === 0n ? null : `${formatSize(bytesPerSecond)}/s`,
    remainingSeconds === null ? null : `${formatDuration(remainingSeconds)} left`,
  ];
}

function isSaid(part: string | null | undefined): part is string {
  return part !== null && part !== undefined && part !== "";
}
