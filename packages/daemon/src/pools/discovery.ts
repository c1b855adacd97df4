import type { PoolType } from "@cistern/documents";
import { findSources } from "../drivers/index.js";
import type { Host } from "../host/index.js";
import type { DocumentParser } from "../parsing/parser.js";

/** Finding storage that could become a pool, for the pool types that can tell. */
export class Discovery {
  readonly #parser: DocumentParser;
  readonly #host: Host;

  constructor(parser: DocumentParser, host: Host) {
    this.#parser = parser;
    this.#host = host;
  }

  /** The `<sources>` document. */
  async find(type: string, specification: string | null, flags: number): Promise<string> {
    const read = (xml: string, poolType: PoolType) => this.#parser.source(xml, poolType);
    const { signal } = new AbortController();
    return findSources(type, specification, flags, { read, host: this.#host, signal });
  }
}
