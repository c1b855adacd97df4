import { findSources } from "../drivers/index.js";

/** Finding storage that could become a pool, for the pool types that can tell. */
export class Discovery {
  /** The `<sources>` document. */
  async find(type: string, specification: string | null, flags: number): Promise<string> {
    return findSources(type, specification, flags);
  }
}
