import { volumeInUse } from "./volume-refusals.js";

/**
 * Who uses a volume's content: any number of readers, or one writer, each for the whole of what it does (a transfer, a
 * clone, a wipe). Whoever comes second is refused with libvirt's "volume '…' is still in use."; nobody waits, because
 * nobody knows for how long. The content that is written first, before a volume can be used at all, is not a lease's
 * matter but `Volume.building`'s.
 */
export class VolumeLease {
  #readers = 0;
  #isWritten = false;
  #writes = 0;

  get isHeld(): boolean {
    return this.#isWritten || this.#readers > 0;
  }
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** Begins and ends of writers: where it has moved, what was seen of the volume before is no news any more. */
  get writes(): number {
    return this.#writes;
  }

  /** `name`: of the volume, for the refusal. Gives how to end it; ending it twice ends it once. */
  read(name: string): () => void {
    if (this.#isWritten) throw volumeInUse(name);
    this.#readers++;
    return once(() => {
      this.#readers--;
    });
  }

  /** As `read`. */
  write(name: string): () => void {
    if (this.isHeld) throw volumeInUse(name);
    this.#isWritten = true;
    this.#writes++;
    return once(() => {
      this.#isWritten = false;
      this.#writes++;
    });
  }
}

function once(end: () => void): () => void {
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    end();
  };
}
