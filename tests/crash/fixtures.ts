import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentOf } from "./content.js";

const MiB = 1024 * 1024;
let directory: string | null = null;

/**
 *   old.raw        4 MiB, all of it data
 *   sparse.raw     16 MiB with two islands of data
 *   source.qcow2   the same as an image
 */
export function makeFixtures(): void {
  directory = mkdtempSync(join(tmpdir(), "cistern-crash-"));
  writeFileSync(fixturePath("old.raw"), contentOf(1, 4 * MiB));
  const sparse = openSync(fixturePath("sparse.raw"), "w");
  ftruncateSync(sparse, 16 * MiB);
  writeSync(sparse, contentOf(3, 256 * 1024), 0, 256 * 1024, MiB);
  writeSync(sparse, contentOf(4, 256 * 1024), 0, 256 * 1024, 9 * MiB);
  closeSync(sparse);
  const args = ["convert", "-f", "raw", "-O", "qcow2", fixturePath("sparse.raw"), fixturePath("source.qcow2")];
  execFileSync("qemu-img", args);
}

export function removeFixtures(): void {
  if (directory !== null) rmSync(directory, { recursive: true });
  directory = null;
}

export function fixturePath(name: string): string {
  if (directory === null) throw new Error("the fixtures are not made");
  return join(directory, name);
}
