import type { VolumeDocument } from "@cistern/documents";
import type { ScanEvidence } from "../host/host.js";

/** A volume as a pool knows it while the daemon runs. */
export interface Volume {
  document: VolumeDocument;
  /** What the next scan needs to see that the file was not touched; null: look again. */
  evidence: ScanEvidence | null;
  /** What it leads to is the volume. Of others, a symlink that appears in their place is not followed. */
  isSymlink: boolean;
  /** Its first content is being written: it is listed, but nothing may be done with it. */
  building: boolean;
  /** Calls that read or write it right now (clone source, wipe, transfer). */
  inUse: number;
}

/** The volumes of one pool, by name, by key and by target path; all three are unique within a pool. */
export class VolumeTable implements Iterable<Volume> {
  readonly #byName = new Map<string, Volume>();
  readonly #byKey = new Map<string, Volume>();
  readonly #byPath = new Map<string, Volume>();

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

  /** False when name, key or path is taken (or missing): nothing was added. */
  add(volume: Volume): boolean {
    const { name, key, target } = volume.document;
    if (key === null || target.path === null) return false;
    if (this.#byName.has(name) || this.#byKey.has(key) || this.#byPath.has(target.path)) return false;
    this.#byName.set(name, volume);
    this.#byKey.set(key, volume);
    this.#byPath.set(target.path, volume);
    return true;
  }

  remove(volume: Volume): void {
    const { name, key, target } = volume.document;
    if (this.#byName.get(name) !== volume) return;
    this.#byName.delete(name);
    if (key !== null) this.#byKey.delete(key);
    if (target.path !== null) this.#byPath.delete(target.path);
  }
}
