import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { decodeUtf8 } from "@cistern/protocol";
import { UsageError } from "./exit-status.js";

/** What Node makes of bytes that are no UTF-8: all names with such bytes become one. It may also have been meant. */
const REPLACED = "\ufffd";

/** The bytes of this process's last `count` arguments, as the kernel has them; null: it does not tell. */
export function ownArgumentBytes(count: number): readonly Buffer[] | null {
  let line: Buffer;
  try {
    line = readFileSync("/proc/self/cmdline");
  } catch {
    return null;
  }
  // A zero byte follows each argument.
  const words: Buffer[] = [];
  for (let start = 0, end = line.indexOf(0); end !== -1; start = end + 1, end = line.indexOf(0, start)) {
    words.push(line.subarray(start, end));
  }
  return words.length < count ? null : words.slice(words.length - count);
}

/** Refuses arguments that were damaged on their way here: what was asked for has another name. */
export function refuseDamaged(args: readonly string[], bytesOf: (count: number) => readonly Buffer[] | null): void {
  if (!args.some((argument) => argument.includes(REPLACED))) return;
  const damaged = bytesOf(args.length)?.find((bytes) => !isUtf8(bytes));
  if (damaged === undefined) return;
  throw new UsageError(`the argument "${decodeUtf8(damaged)}" is not UTF-8, and cannot be understood as it was meant`);
}
