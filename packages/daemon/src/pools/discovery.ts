import { findSources } from "../drivers/index.js";
import type { DocumentParser } from "../parsing/parser.js";

/** Finding storage that could become a pool, for the pool types that can tell. */
export class Discovery {
  readonly #parser: DocumentParser;

  constructor(parser: DocumentParser) {
    this.#parser = parser;
  }

  /** The `<sources>` document. */
  async find(type: string, specification: string | null, flags: number): Promise<string> {
    return findSources(type, specification, flags, (xml, poolType) => this.#parser.source(xml, poolType));
  }
}
