import { close } from "node:fs";
import { promisify } from "node:util";
import { hostError } from "../errors.js";
import type { NativeLanes } from "./native-lane.js";

/**
 * An open descriptor that knows who is using it. Calls name the descriptor by its number, and the number is given anew as
 * soon as it is closed; so it stays open until the last call is back, even one whose caller has stopped waiting.
 */
export class Descriptor {
  readonly #fd: number;
  #users = 0;
  #closing: Promise<void> | null = null;
  #unused: (() => void) | null = null;
  readonly #letGo: () => Promise<void>;

  /** `letGo`: how it is closed, or given back to whoever shares it. */
  constructor(fd: number, letGo: () => Promise<void>) {
    this.#fd = fd;
    this.#letGo = letGo;
  }

  /** Keeps it open until `release`. */
  hold(): { readonly fd: number; readonly release: () => void } {
    if (this.#closing !== null) throw hostError("EBADF", "The file was closed");
    this.#users += 1;
    let held = true;
    return {
      fd: this.#fd,
      release: () => {
        if (!held) return;
        held = false;
        this.#users -= 1;
        if (this.#users === 0) this.#unused?.();
      },
    };
  }

  async use<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const held = this.hold();
    try {
      return await call(held.fd);
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

const closeElsewhere = promisify(close);

/** Closes a descriptor of this process. Also after the lanes are closed: what is open then must not stay so. */
export function closeDescriptor(fd: number, { quick }: NativeLanes): Promise<void> {
  return quick.isClosed ? closeElsewhere(fd) : quick.perform("close", { fd }, "A file cannot be closed");
}

export function ownDescriptor(fd: number, lanes: NativeLanes): Descriptor {
  return new Descriptor(fd, () => closeDescriptor(fd, lanes));
}
