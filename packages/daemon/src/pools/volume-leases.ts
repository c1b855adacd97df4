import type { Volume } from "./volume.js";
import { volumeInUse } from "./volume-refusals.js";

/**
 * The leases of all pools. A file or device may be a volume more than once: under two names that are links to it, in two pools
 * over one directory. Who uses it by one of them is in the way of who wants it by another, as far as it is known what
 * they lead to (`Volume.identity`).
 */
export class VolumeLeases {
  /** With a reader or a writer: as few as there are operations under way. */
  readonly #used = new Set<Volume>();

  /** As `VolumeLease.read`. */
  read(volume: Volume): () => void {
    if (this.#isUsedElsewhere(volume, ({ lease }) => lease.isWritten)) throw volumeInUse(volume.name);
    return this.#taken(volume, volume.lease.read(volume.name));
  }

  /** As `VolumeLease.write`. */
  write(volume: Volume): () => void {
    if (this.isHeld(volume)) throw volumeInUse(volume.name);
    return this.#taken(volume, volume.lease.write(volume.name));
  }

  isHeld(volume: Volume): boolean {
    return volume.lease.isHeld || this.#isUsedElsewhere(volume, () => true);
  }

  /** It is being deleted, by whatever name. */
  isGoing(volume: Volume): boolean {
    return volume.removing || this.#isUsedElsewhere(volume, ({ removing }) => removing);
  }

  #isUsedElsewhere({ identity }: Volume, isMeant: (other: Volume) => boolean): boolean {
    if (identity === null) return false;
    for (const other of this.#used) {
      if (other.identity === identity && isMeant(other)) return true;
    }
    return false;
  }

  #taken(volume: Volume, end: () => void): () => void {
    this.#used.add(volume);
    return () => {
      end();
      if (!volume.lease.isHeld) this.#used.delete(volume);
    };
  }
}
