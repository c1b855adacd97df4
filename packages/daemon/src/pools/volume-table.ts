import type { FoundVolume } from "../drivers/driver.js";
import type { Volume } from "./volume.js";

/** The volumes of one pool, by name, by key and by target path; all three are unique within a pool. */
export class VolumeTable implements Iterable<Volume> {
  readonly #byName = new Map<string, Volume>();
  readonly #byKey = new Map<string, Volume>();
  readonly #byPath = new Map<string, Volume>();
  /** Those with a backing store: few, and asked for at each deletion. */
  readonly #overlays = new Set<Volume>();

  get size(): number {
    return this.#byName.size;
  }
  [Symbol.iterator](): Iterator<Volume> {
    return this.#byName.values();
  }
  /** As drivers ask what the last scan found. */
  get(name: string): Volume | undefined {
    return this.#byName.get(name);
  }
  byKey(key: string): Volume | undefined {
    return this.#byKey.get(key);
  }
  byPath(path: string): Volume | undefined {
    return this.#byPath.get(path);
  }
  get overlays(): Iterable<Volume> {
    return this.#overlays;
  }

  /** False when name, key or path is taken (or missing): nothing was added. */
  add(volume: Volume): boolean {
    const { name, key, target, backingStore } = volume.document;
    if (key === null || target.path === null) return false;
    if (this.#byName.has(name) || this.#byKey.has(key) || this.#byPath.has(target.path)) return false;
    this.#byName.set(name, volume);
    this.#byKey.set(key, volume);
    this.#byPath.set(target.path, volume);
    if (backingStore !== null) this.#overlays.add(volume);
    return true;
  }

  /** Takes over what was found of a volume of this table. False when its new key or path is taken: it keeps the old. */
  update(volume: Volume, found: FoundVolume): boolean {
    const { key, target } = found.document;
    if (key === volume.document.key && target.path === volume.document.target.path) {
      volume.update(found);
      return true;
    }
    const before = { ...volume };
    this.remove(volume);
    volume.update(found);
    if (this.add(volume)) return true;
    Object.assign(volume, before);
    this.add(volume);
    return false;
  }

  remove(volume: Volume): void {
    const { name, key, target } = volume.document;
    if (this.#byName.get(name) !== volume) return;
    this.#byName.delete(name);
    if (key !== null) this.#byKey.delete(key);
    if (target.path !== null) this.#byPath.delete(target.path);
    this.#overlays.delete(volume);
  }
}
