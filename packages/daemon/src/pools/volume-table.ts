import type { FoundVolume } from "../drivers/driver.js";
import type { Volume } from "./volume.js";

/** The volumes of one pool, by name, by key and by target path; all three are unique within a pool. */
export class VolumeTable implements Iterable<Volume> {
  readonly #byName = new Map<string, Volume>();
  readonly #byKey = new Map<string, Volume>();
  readonly #byPath = new Map<string, Volume>();
  /** Those with a backing store or a data file: few, and asked for at each deletion. */
  readonly #overlays = new Set<Volume>();
  /** More than one where names are links to one file. */
  readonly #byIdentity = new Map<string, Volume[]>();
  readonly #unidentified = new Set<Volume>();

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
  byIdentity(identity: string): readonly Volume[] {
    return this.#byIdentity.get(identity) ?? [];
  }
  /** Those of which nobody knows what file or device they lead to. */
  get unidentified(): ReadonlySet<Volume> {
    return this.#unidentified;
  }
  get overlays(): Iterable<Volume> {
    return this.#overlays;
  }

  /** False when name, key or path is taken (or missing): nothing was added. */
  add(volume: Volume): boolean {
    const { name, key, target } = volume.document;
    if (key === null || target.path === null) return false;
    if (this.#byName.has(name) || this.#byKey.has(key) || this.#byPath.has(target.path)) return false;
    this.#byName.set(name, volume);
    this.#byKey.set(key, volume);
    this.#byPath.set(target.path, volume);
    this.#index(volume);
    return true;
  }

  /** Takes over what was found of a volume of this table. False when its new key or path is taken: it keeps the old. */
  update(volume: Volume, found: FoundVolume): boolean {
    const { key, target } = found.document;
    if (key === volume.document.key && target.path === volume.document.target.path) {
      this.#unindex(volume);
      volume.update(found);
      this.#index(volume);
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
    this.#unindex(volume);
  }

  /** What somebody found out about a volume of this table; null: it has to be found out anew. */
  identify(volume: Volume, identity: string | null): void {
    this.#unindex(volume);
    volume.identity = identity;
    this.#index(volume);
  }

  #index(volume: Volume): void {
    const { identity, name } = volume;
    // It may have been deleted while somebody looked at it.
    if (this.#byName.get(name) !== volume) return;
    // One that stays keeps its place: somebody may be going through them.
    if (volume.document.backingStore !== null || volume.dataFile !== null) this.#overlays.add(volume);
    else this.#overlays.delete(volume);
    if (identity === null) {
      this.#unidentified.add(volume);
      return;
    }
    const same = this.#byIdentity.get(identity);
    if (same === undefined) this.#byIdentity.set(identity, [volume]);
    else same.push(volume);
  }

  #unindex(volume: Volume): void {
    this.#unidentified.delete(volume);
    if (volume.identity === null) return;
    const others = this.#byIdentity.get(volume.identity)?.filter((other) => other !== volume) ?? [];
    if (others.length === 0) this.#byIdentity.delete(volume.identity);
    else this.#byIdentity.set(volume.identity, others);
  }
}
