import { bytesOfText, textOfBytes } from "./names.js";
import * as native from "./native.js";

/** Entries one below the other: the beginnings of `path` that end at each of `ends`. */
export interface Entries {
  readonly path: string;
  readonly ends: readonly number[];
}

/** A symlink among entries. */
export interface FoundLink {
  readonly index: number;
  readonly content: string;
}

/** The first of the entries that is a symlink; those behind it are not looked at. What cannot be looked at is none. */
export type LinkReader = (entries: Entries) => Promise<FoundLink | null>;

export function firstLinkSync({ path, ends }: Entries): FoundLink | null {
  for (const [index, end] of ends.entries()) {
    const name = Buffer.concat([bytesOfText(path.slice(0, end)), endOfName]);
    const content = native.readLinkSync(name);
    if (content !== null) return { index, content: textOfBytes(content) };
  }
  return null;
}

const endOfName = Buffer.of(0);
