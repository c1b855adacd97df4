import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { ImageContent } from "../../dist/images/image-bytes.js";
import { PROBE_BYTES, SCAN_HEAD_BYTES, SCAN_WINDOWS } from "../../dist/images/reading-plan.js";

/** A directory for the tests of one file; it is gone afterwards. */
export function workDirectory(): { readonly path: string; file(name: string): string } {
  let path = "";
  beforeAll(() => {
    path = mkdtempSync(join(tmpdir(), "cistern-images-"));
  });
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
    file: (name) => join(path, name),
  };
}

/** In one call of three, or more, qemu-img cannot measure how fast it derives keys, and says so within milliseconds. */
const CLOCK_TROUBLE = "Unable to get accurate CPU usage";
const ATTEMPTS = 50;

export function qemuImg(...args: string[]): string {
  for (let attempt = 1; ; attempt++) {
    try {
      return execFileSync("qemu-img", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes(CLOCK_TROUBLE)) throw error;
    }
  }
}

/** Lets qemu write and read in a qcow2 image, as a guest would. Gives what it said. */
export function qemuIo(path: string, ...commands: string[]): string {
  const args = ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), path];
  return execFileSync("qemu-io", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** As libvirt reads a file: the first 33280 bytes. */
export function wholeContent(path: string): ImageContent {
  return { head: bytesAt(path, 0, PROBE_BYTES), headBytes: PROBE_BYTES, sizeBytes: BigInt(statSync(path).size) };
}

/** As a scan reads it: little, and without the zeros at the end of that. */
export function scannedContent(path: string): ImageContent {
  return {
    head: withoutTrailingZeros(bytesAt(path, 0, SCAN_HEAD_BYTES)),
    headBytes: SCAN_HEAD_BYTES,
    windows: SCAN_WINDOWS.map(({ offset, length }) => ({ offset, bytes: bytesAt(path, offset, length) })),
    sizeBytes: BigInt(statSync(path).size),
  };
}

export function bytesAt(path: string, offset: number, length: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
  } finally {
    closeSync(descriptor);
  }
}

export function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
