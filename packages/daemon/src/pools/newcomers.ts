import type { Directory, NameWatch } from "../host/index.js";
import { limits } from "../limits.js";

/**
 * Names in a pool's directory under which something has appeared or was written to, and which no scan has seen since:
 * mostly the work of other programs, for what the daemon itself makes is taken off again.
 */
export class Newcomers {
  #watch: NameWatch | null = null;
  /** When they were noted. */
  readonly #names = new Map<string, number>();

  /** From now on. What was noted before stays until a scan has seen it. Never rejects. */
  async watch(open: () => Promise<Directory>): Promise<void> {
    this.#note();
    const before = this.#watch;
    try {
      await using directory = await open();
      this.#watch = (await directory.watch?.()) ?? null;
    } catch {
      // A scan that opens it as well says what is wrong with it.
      this.#watch = null;
    }
    this.#add(before?.taken() ?? []);
    before?.close();
  }

  end(): void {
    this.#watch?.close();
    this.#watch = null;
    this.#names.clear();
  }

  /** The daemon itself has just put something there. */
  made(name: string): void {
    this.#note();
    this.#names.delete(name);
  }

  /** Before the daemon itself writes to what has this name; gives what to call afterwards. What others did before stays noted. */
  writing(name: string): () => void {
    this.#note();
    return this.#names.has(name) ? () => {} : () => this.made(name);
  }

  /**
   * A scan that began then has seen them. What had come just before may not have had its header yet, and whoever made it may
   * keep it open: it stays, for the next time.
   */
  seen(beganMs: number): void {
    this.#note();
    for (const [name, notedMs] of this.#names) {
      if (notedMs + limits.newcomerMs <= beganMs) this.#names.delete(name);
    }
  }

  /** null: nobody can tell, without looking. `isOurs`: those of which it is known otherwise what they are. */
  areThere(isOurs: (name: string) => boolean): boolean | null {
    this.#note();
    for (const name of this.#names.keys()) {
      if (!isOurs(name)) return true;
    }
    return this.#watch === null ? null : false;
  }

  #note(): void {
    if (this.#watch === null) return;
    const taken = this.#watch.taken();
    if (taken === null) {
      this.#watch.close();
      this.#watch = null;
      return;
    }
    this.#add(taken);
  }

  #add(names: Iterable<string>): void {
    const nowMs = performance.now();
    for (const name of names) this.#names.set(name, nowMs);
  }
}
