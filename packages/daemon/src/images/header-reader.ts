import { decodeUtf8 } from "@cistern/protocol";
import type { ImageDetails } from "./image-details.js";
import type { BoundedSource, Fields } from "./image-source.js";
import { upToNul } from "./qcow.js";

/** What a header adds to "nothing said". */
export type HeaderFacts = Partial<Omit<ImageDetails, "format" | "qcow2" | "problems">>;

/** Reads a header; null: it is another format's, or none. */
export type HeaderReader = (bounded: BoundedSource) => Promise<HeaderFacts | null>;

/** A text that ends at a NUL or after `length` bytes. */
export function textAt(fields: Fields, offset: number, length: number): string {
  return decodeUtf8(upToNul(fields.part(offset, length)));
}
