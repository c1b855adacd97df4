import { setTimeout as sleep } from "node:timers/promises";
import { ErrorDomain } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { ByteRange, File } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";
import { failingAs, isErrno } from "./failure.js";
import { blockRanges } from "./file-ranges.js";

/** More than a file system needs to keep account of a file in more pieces. */
const ACCOUNT_BYTES = 1_048_576n;

/**
 * Holes of a volume that are filled, and given back should the work not come to its end. The volume may be a guest's disk, in
 * which the guest writes all the time: a hole that was filled may hold its data a moment later. So only blocks that the file
 * system still calls unwritten are given back, and only while nobody else has the file open, because between the question and
 * the answer a guest could write. What that leaves filled, the job has a remark of.
 */
export class FilledHoles {
  readonly #file: File;
  /** null: they are too many, or cannot be told. */
  readonly #holes: readonly ByteRange[] | null;
  readonly #allocatedBytes: bigint;
  #untilBytes: bigint | null = null;

  private constructor(file: File, holes: readonly ByteRange[] | null, allocatedBytes: bigint) {
    this.#file = file;
    this.#holes = holes;
    this.#allocatedBytes = allocatedBytes;
  }

  /** Those before `endBytes`, the block that it lies in included. */
  static async of(file: File, endBytes: bigint, { signal }: Job, detail: string): Promise<FilledHoles> {
    const facts = await failingAs(detail, file.facts({ signal }), ErrorDomain.NONE);
    const block = BigInt(facts.blockSizeBytes);
    const lengthBytes = ((endBytes + block - 1n) / block) * block;
    return new FilledHoles(file, await holesBefore(file, lengthBytes, signal, detail), facts.allocatedBytes);
  }

  /** What lies before has been filled, or may be soon. */
  fillingUntil(endBytes: bigint): void {
    this.#untilBytes = endBytes;
  }

  /** Never fails. It is not called off: whoever called off the work wants to have this. */
  async giveBack(job: Job): Promise<void> {
    const untilBytes = this.#untilBytes;
    if (untilBytes === null) return;
    try {
      // What others have written is written, and the questions take no time.
      await this.#file.syncData();
      for (const hole of this.#holes ?? []) {
        if (hole.startBytes < untilBytes) await this.#giveBackHole(hole);
      }
    } catch {
      // What it leaves is seen by what the file has.
    }
    const { allocatedBytes } = await this.#file.facts().catch(() => ({ allocatedBytes: this.#allocatedBytes }));
    if (allocatedBytes - this.#allocatedBytes < ACCOUNT_BYTES) return;
    job.remark(
      "Holes of the volume that were filled stay so: it is in use, or they can no longer be told from its data.",
    );
  }

  async #giveBackHole({ startBytes, endBytes }: ByteRange): Promise<void> {
    for (let atBytes = startBytes, tries = 0; atBytes < endBytes; ) {
      // Whoever opens the volume meanwhile waits for one step.
      const leftBytes = endBytes - atBytes;
      const step = leftBytes < hostLimits.allocateMostBytes ? leftBytes : hostLimits.allocateMostBytes;
      try {
        await this.#file.discardUnwritten(atBytes, step);
        atBytes += step;
      } catch (thrown) {
        if (!isErrno(thrown, "EAGAIN") || ++tries >= hostLimits.aloneTries) throw thrown;
        await sleep(hostLimits.alonePauseMs);
      }
    }
  }
}

async function holesBefore(
  file: File,
  lengthBytes: bigint,
  signal: CancelSignal,
  detail: string,
): Promise<readonly ByteRange[] | null> {
  // Of other storage, this machine does not know who else has it open.
  if (file.host.home !== "local") return null;
  if ((await failingAs(detail, file.blocksFrom(0n, { signal }), ErrorDomain.NONE)) === null) return null;
  const holes: ByteRange[] = [];
  let atBytes = 0n;
  for await (const { startBytes, endBytes } of blockRanges(file, { lengthBytes, signal, detail })) {
    if (startBytes > atBytes) holes.push({ startBytes: atBytes, endBytes: startBytes });
    if (holes.length > hostLimits.holesRemembered) return null;
    atBytes = endBytes;
  }
  if (atBytes < lengthBytes) holes.push({ startBytes: atBytes, endBytes: lengthBytes });
  return holes;
}
