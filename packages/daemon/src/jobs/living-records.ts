import type { Directory } from "../host/index.js";
import { limits } from "../limits.js";

interface LivingRecord {
  readonly bytes: Uint8Array;
  /** Under way. */
  touch: Promise<void> | null;
}

/**
 * Records of the journal whose time (mtime) says when their daemon was last alive: each is written over with its own bytes
 * again and again, so that a death in the middle leaves it whole. Nothing is flushed: a power cut makes the time an earlier one.
 * Whoever trusts it then undoes less.
 */
export class LivingRecords {
  readonly #directory: Directory;
  readonly #records = new Map<string, LivingRecord>();
  #timer: NodeJS.Timeout | null = null;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  /** From now on until `end`. */
  begin(name: string, bytes: Uint8Array): void {
    this.#records.set(name, { bytes, touch: null });
    this.#timer ??= setInterval(() => this.#touchAll(), limits.recordAliveMs).unref();
  }

  /** It is not touched any more when this is back. Never rejects. */
  async end(name: string): Promise<void> {
    const record = this.#records.get(name);
    this.#records.delete(name);
    if (this.#records.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    await record?.touch;
  }

  #touchAll(): void {
    for (const [name, record] of this.#records) {
      record.touch ??= this.#touch(name, record.bytes).finally(() => {
        record.touch = null;
      });
    }
  }

  /** Only what is there. A failure leaves an earlier time. */
  async #touch(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await using file = await this.#directory.open(name, { access: "write", follow: false });
      await file.write(0n, bytes);
    } catch {}
  }
}
