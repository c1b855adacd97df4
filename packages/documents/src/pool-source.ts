import { DocumentErrorDomain } from "./errors.js";
import type { PoolSource, PoolType } from "./pool.js";
import { readSource } from "./pool-source-reader.js";
import { writeSource } from "./pool-source-writer.js";
import { parseDocument } from "./xml/parse.js";
import { XmlWriter } from "./xml/write.js";

/**
 * Reads the specification with which sources are searched: a `<source>` element alone.
 *
 * @throws DocumentError 35/18 for what is not well-formed, 27/5 for another root, and what a pool's source gives
 */
export function readSourceSpecification(xml: string, type: PoolType): PoolSource {
  const root = parseDocument(xml, {
    kind: "storage_source_specification",
    domain: DocumentErrorDomain.STORAGE,
    root: "source",
  });
  return readSource(root, type);
}

/** Writes what a search found: `<sources>` with a `<source>` for each. */
export function writeDiscoveredSources(type: PoolType, sources: readonly PoolSource[]): string {
  const writer = new XmlWriter().open("sources");
  for (const source of sources) {
    writeSource(writer, source, type);
  }
  return writer.close().toString();
}
