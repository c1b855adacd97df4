import type { Volume } from "./volume.js";
import type { VolumeTable } from "./volume-table.js";

/**
 * What happened to a pool's volumes while a scan looked at its storage. A scan sees each entry at some moment of its own;
 * what was made, changed or removed after it began is newer than what it saw, and what is being built has no name to be
 * seen. So neither ever waits for the other: the scan's result is taken, and what is newer put on top.
 */
export class VolumeChanges {
  /** With whether a scan has found something else under its name, which it hides. */
  readonly #building = new Map<Volume, boolean>();
  /** Uploaded to, and not scanned since: what their images rest on, nobody has read. */
  readonly #unread = new Set<Volume>();
  /** By name, since the scan began; null: removed. */
  #since: Map<string, Volume | null> | null = null;

  built(volume: Volume): void {
    this.#building.delete(volume);
    this.changed(volume);
  }
  building(volume: Volume): void {
    this.#building.set(volume, false);
    this.changed(volume);
  }
  /** A scan has found something under the name of a volume that is being built. */
  hides(volume: Volume): void {
    if (this.#building.has(volume)) this.#building.set(volume, true);
  }
  /** True: under its name there may be something that a scan has found, or is finding, and nobody knows of. */
  abandoned(volume: Volume): boolean {
    const hides = this.#building.get(volume) === true || this.#since !== null;
    this.#building.delete(volume);
    this.removed(volume);
    return hides;
  }
  changed(volume: Volume): void {
    this.#since?.set(volume.name, volume);
  }
  uploading(volume: Volume): void {
    this.#unread.add(volume);
  }
  removed(volume: Volume): void {
    this.#unread.delete(volume);
    this.#since?.set(volume.name, null);
  }

  /** Pairs with `scanEnded`. Scans of one pool come one after the other. */
  scanBegins(): void {
    this.#since = new Map();
  }
  scanEnded(): void {
    this.#since = null;
  }

  /** Whether the scan knows less about this one than the pool does. */
  isNewer(volume: Volume): boolean {
    return volume.building || volume.lease.isWritten || this.#since?.has(volume.name) === true;
  }

  /** They may be of a time before the pool was stopped. */
  get unread(): ReadonlySet<Volume> {
    return this.#unread;
  }

  /** Puts what is newer into the table of what the scan found. */
  applyTo(table: VolumeTable): void {
    for (const volume of this.#unread) {
      if (!this.isNewer(volume)) this.#unread.delete(volume);
    }
    for (const [name, volume] of this.#since ?? []) this.#put(table, name, volume);
    for (const volume of this.#building.keys()) this.#put(table, volume.name, volume);
  }

  #put(table: VolumeTable, name: string, volume: Volume | null): void {
    const found = table.get(name);
    if (found === (volume ?? undefined)) return;
    if (found !== undefined) table.remove(found);
    if (volume === null) return;
    if (found !== undefined) this.hides(volume);
    table.add(volume);
  }
}
