import { hostLimits } from "../limits.js";
import type { File } from "./host.js";

/**
 * Has the kernel begin to write to the disk while more comes, so that little is left for the flush at the end. One range is
 * under way at a time; what comes meanwhile goes with the next. It only helps: what goes wrong shows when the file is flushed.
 */
export class EarlyWriteback {
  readonly #file: File;
  /** Of what was written and not handed on. */
  #startBytes: bigint | null = null;
  #isUnderWay = false;

  constructor(file: File) {
    this.#file = file;
  }

  /** To be told of each range that was written, in the order of the file. */
  wrote(startBytes: bigint, endBytes: bigint): void {
    this.#startBytes ??= startBytes;
    const lengthBytes = endBytes - this.#startBytes;
    if (this.#isUnderWay || lengthBytes < BigInt(hostLimits.writebackBytes)) return;
    const started = this.#file.startWriteback(this.#startBytes, lengthBytes);
    this.#startBytes = null;
    this.#isUnderWay = true;
    const ended = (): void => {
      this.#isUnderWay = false;
    };
    started.then(ended, ended);
  }
}
