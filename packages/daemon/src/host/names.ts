import { isUtf8 } from "node:buffer";
import { hostError } from "./errors.js";

/**
 * File names are bytes; JavaScript strings are not. A byte that is no part of valid UTF-8 stands as the lone surrogate
 * U+DC80 + (byte - 0x80), which is Python's surrogateescape, so that each name has exactly one spelling and comes back as
 * the same bytes. Text with any other lone surrogate names no file: EILSEQ.
 */

const surrogate = /[\ud800-\udfff]/;

/** Whether the text carries bytes that are not UTF-8, so that APIs that take only strings would change it. */
export function hasEscapedBytes(text: string): boolean {
  return surrogate.test(text) && /[\ud800-\udfff]/u.test(text);
}

export function bytesOfText(text: string): Buffer {
  if (!hasEscapedBytes(text)) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  let plainStart = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(index + 1);
    if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
      index += 1;
      continue;
    }
    if (unit < 0xdc80 || unit > 0xdcff) throw hostError("EILSEQ", "A name contains half a character");
    parts.push(Buffer.from(text.slice(plainStart, index), "utf8"), Buffer.of(unit - 0xdc00));
    plainStart = index + 1;
  }
  parts.push(Buffer.from(text.slice(plainStart), "utf8"));
  return Buffer.concat(parts);
}

export function textOfBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  let plainStart = 0;
  let index = 0;
  while (index < bytes.length) {
    const length = lengthOfCharacter(bytes, index);
    if (length > 0) {
      index += length;
      continue;
    }
    text += bytes.toString("utf8", plainStart, index) + String.fromCharCode(0xdc00 + (bytes[index] ?? 0));
    index += 1;
    plainStart = index;
  }
  return text + bytes.toString("utf8", plainStart);
}

const ascii = /^[\x00-\x7f]*$/;

/** From a string with one character per byte, as `fs` gives with encoding "latin1": cheap for the usual plain names. */
export function textOfLatin1(latin1: string): string {
  return ascii.test(latin1) ? latin1 : textOfBytes(Buffer.from(latin1, "latin1"));
}

/** One component of a path, as bytes. EINVAL unless it can name exactly one entry of the directory it is looked up in. */
export function bytesOfName(name: string): Buffer {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw hostError("EINVAL", `${JSON.stringify(name)} is not a name in a directory`);
  }
  return bytesOfText(name);
}

/** A path from an administrator: absolute, since the daemon's working directory is nobody's business. */
export function bytesOfPath(path: string): Buffer {
  if (!path.startsWith("/") || path.includes("\0"))
    throw hostError("EINVAL", `${JSON.stringify(path)} is not an absolute path`);
  return bytesOfText(path);
}

/** For messages: the name below the directory's path. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** Length of the valid UTF-8 character at `index`, 0 where there is none (overlong, surrogate, beyond U+10FFFF, cut off). */
function lengthOfCharacter(bytes: Buffer, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  return length > 0 && index + length <= bytes.length && isUtf8(bytes.subarray(index, index + length)) ? length : 0;
}
