import { UsageError } from "../exit-status.js";
import { parseSize } from "../output/size.js";

/** A size on the command line, in bytes. */
export function sizeArgument(text: string): bigint {
  const bytes = parseSize(text);
  if (bytes === null) throw new UsageError(`"${text}" is not a size such as 10G, 500MB or 1073741824`);
  return bytes;
}

/** A positive whole number on the command line. */
export function countArgument(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new UsageError(`"${text}" is not a whole number above 0`);
  return count;
}
