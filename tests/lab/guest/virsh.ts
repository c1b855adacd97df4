import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, type Outcome, run } from "./run.js";

/** virsh as a person types it, against one daemon. Documents are handed over as text. */
export class Virsh {
  readonly #uri: string;
  readonly #place = mkdtempSync("/tmp/virsh-");
  #files = 0;

  constructor(uri: string) {
    this.#uri = uri;
  }

  /** What it prints, without blanks around it. */
  do(...args: readonly string[]): string {
    return run("virsh", this.#all(args), { timeoutMs: TIMEOUT_MS }).trim();
  }

  try(...args: readonly string[]): Outcome {
    return attempt("virsh", this.#all(args), { timeoutMs: TIMEOUT_MS });
  }

  /** What it complains of; "" when it does not. */
  complaint(...args: readonly string[]): string {
    return this.try(...args).stderr.trim();
  }

  /** A document as a file of its own. */
  file(content: string): string {
    const path = join(this.#place, `${this.#files++}.xml`);
    writeFileSync(path, content);
    return path;
  }

  volumes(pool: string): string[] {
    const lines = this.do("vol-list", pool).split("\n");
    return lines.flatMap((line) => line.trim().split(/\s{2,}/)[0] || []).sort();
  }

  /** Names of running pools. */
  get running(): string[] {
    return this.do("pool-list", "--name")
      .split("\n")
      .map((name) => name.trim())
      .filter(Boolean)
      .sort();
  }

  #all(args: readonly string[]): readonly string[] {
    return ["--quiet", "-c", this.#uri, ...args];
  }
}

/** Storage that hangs is given up by the daemon, not by virsh. */
const TIMEOUT_MS = 200_000;
