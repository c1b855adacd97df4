import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { ZERO } from "./history.js";

const BLOCK_BYTES = 4096;
const QEMU_TIMEOUT_MS = 30_000;
/** The part of each volume that is written; volumes are at least as large, and zero beyond it. */
export const WRITTEN_BYTES = 1024 * 1024;

/** Content that says in every block whose it is. */
export function taggedContent(id: string): Buffer {
  return Buffer.alloc(WRITTEN_BYTES, Buffer.from(`<${id}>`.padEnd(BLOCK_BYTES, "-")));
}

/** Whose content it is: a writer's, nobody's ("zero"), or a text that says what it is a mixture of. */
export function writerOf(content: Buffer): string {
  const writers = new Set<string>();
  for (let offset = 0; offset < Math.min(content.length, WRITTEN_BYTES); offset += BLOCK_BYTES) {
    writers.add(blockWriter(content.subarray(offset, offset + BLOCK_BYTES)));
  }
  if (!isZero(content.subarray(WRITTEN_BYTES))) writers.add("something beyond the end");
  const [first = "no block", ...others] = writers;
  return others.length === 0 ? first : `mixture of ${[...writers].sort().slice(0, 6).join(" and ")}`;
}

function blockWriter(block: Buffer): string {
  if (isZero(block)) return ZERO;
  const id = /^<([^>]+)>/.exec(block.subarray(0, 64).toString("latin1"))?.[1];
  if (id === undefined) return "nobody's bytes";
  return block.equals(taggedContent(id).subarray(0, block.length)) ? id : `torn block of ${id}`;
}

function isZero(bytes: Buffer): boolean {
  return bytes.length === 0 || (bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1)));
}

/** What a guest sees of a qcow2 file that is whole: `qemu-img check` finds nothing wrong. */
export async function guestContent(path: string): Promise<Buffer> {
  const run = promisify(execFile);
  await run("qemu-img", ["check", "-q", "-f", "qcow2", path], { timeout: QEMU_TIMEOUT_MS });
  const raw = `${path}.raw-content`;
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, raw], { timeout: QEMU_TIMEOUT_MS });
  return readFile(raw);
}
