import type { FileHandle } from "node:fs/promises";
import { hostError } from "../errors.js";

/**
 * An open descriptor that knows who is using it. Calls on `/proc/self/fd/N` and native calls name the descriptor by its
 * number, and the number is given anew as soon as it is closed; so it stays open until the last call is back, even one
 * whose caller has stopped waiting.
 */
export class Descriptor {
  readonly #handle: FileHandle;
  #users = 0;
  #closing: Promise<void> | null = null;
  #unused: (() => void) | null = null;
  readonly #letGo: () => Promise<void>;

  /** `letGo`: instead of closing the handle, which is shared with others. */
  constructor(handle: FileHandle, letGo: () => Promise<void> = () => handle.close()) {
    this.#handle = handle;
    this.#letGo = letGo;
  }

  /** Keeps it open until `release`. */
  hold(): { readonly fd: number; readonly handle: FileHandle; readonly release: () => void } {
    if (this.#closing !== null) throw hostError("EBADF", "The file was closed");
    this.#users += 1;
    let held = true;
    return {
      fd: this.#handle.fd,
      handle: this.#handle,
      release: () => {
        if (!held) return;
        held = false;
        this.#users -= 1;
        if (this.#users === 0) this.#unused?.();
      },
    };
  }

  async use<T>(call: (fd: number, handle: FileHandle) => Promise<T>): Promise<T> {
    const held = this.hold();
    try {
      return await call(held.fd, held.handle);
    } finally {
      held.release();
    }
  }

  /** Closes once nobody uses it; a second close is the first one. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#unused = resolve;
      });
    }
    await this.#letGo();
  }
}
