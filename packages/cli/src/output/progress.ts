import { formatSize } from "./size.js";

const REDRAW_MS = 100;
const CLEAR_LINE = "\r\u001b[K";

/** How far a transfer is, on one line that is drawn over. Silent where nobody watches. */
export class Progress {
  readonly #stream: NodeJS.WritableStream;
  readonly #visible: boolean;
  readonly #label: string;
  readonly #totalBytes: bigint | null;
  readonly #startedMs: number;
  #doneBytes = 0n;
  #drawnMs = 0;

  /** `totalBytes` null: not known. */
  constructor(
    stream: NodeJS.WritableStream & { isTTY?: boolean },
    label: string,
    totalBytes: bigint | null,
    quiet = false,
  ) {
    this.#stream = stream;
    this.#visible = stream.isTTY === true && !quiet;
    this.#label = label;
    this.#totalBytes = totalBytes;
    this.#startedMs = performance.now();
  }

  add(bytes: bigint): void {
    this.#doneBytes += bytes;
    const nowMs = performance.now();
    if (!this.#visible || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#stream.write(
      CLEAR_LINE + formatProgress(this.#label, this.#doneBytes, this.#totalBytes, nowMs - this.#startedMs),
    );
  }

  /** Leaves the line clean for what follows. */
  end(): void {
    if (this.#visible) this.#stream.write(CLEAR_LINE);
  }
}

/** "Uploading disk.raw: 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s". */
export function formatProgress(label: string, doneBytes: bigint, totalBytes: bigint | null, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? `, ${formatSize(BigInt(Math.round((Number(doneBytes) * 1000) / elapsedMs)))}/s` : "";
  if (totalBytes === null || totalBytes === 0n) return `${label}: ${formatSize(doneBytes)}${rate}`;
  const percent = (doneBytes * 100n) / totalBytes;
  return `${label}: ${formatSize(doneBytes)} of ${formatSize(totalBytes)} (${percent} %)${rate}`;
}
