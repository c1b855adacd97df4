import { findSources } from "../drivers/index.js";
import type { Host } from "../host/index.js";

/** Finding storage that could become a pool, for the pool types that can tell. */
export class Discovery {
  readonly #host: () => Host;

  constructor(host: () => Host) {
    this.#host = host;
  }

  /** The `<sources>` document. */
  async find(type: string, specification: string | null, flags: number): Promise<string> {
    return findSources(type, specification, flags, this.#host());
  }
}
