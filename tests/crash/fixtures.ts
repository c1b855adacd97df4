import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentOf } from "./content.js";

const MiB = 1024 * 1024;
export const PASSPHRASE = "open sesame";
/** For programs of qemu: the key "k". */
export const KEY = ["--object", `secret,id=k,data=${PASSPHRASE}`];
let directory: string | null = null;

/**
 *   old.raw        4 MiB, all of it data
 *   sparse.raw     16 MiB with two islands of data
 *   source.qcow2   the same as an image
 *   odd.raw        1 MiB and a part of a block, all of it data
 *   luks.raw       old.raw, encrypted
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
  writeFileSync(fixturePath("odd.raw"), contentOf(5, MiB + 1000));
  // Deriving its key takes little time, because every test does it.
  const create = [
    "create",
    "-q",
    "-f",
    "luks",
    ...KEY,
    "-o",
    "key-secret=k,iter-time=10",
    fixturePath("luks.raw"),
    "4M",
  ];
  untilTheClockIsRead(() => execFileSync("qemu-img", create, { stdio: "pipe" }));
  const into = [
    ...KEY,
    "-n",
    "-f",
    "raw",
    "--target-image-opts",
    fixturePath("old.raw"),
    keyed(fixturePath("luks.raw")),
  ];
  execFileSync("qemu-img", ["convert", ...into]);
}

/** An image that `KEY` opens, as one of qemu's --image-opts. */
export function keyed(path: string): string {
  return `driver=luks,key-secret=k,file.filename=${path}`;
}

/** On some machines qemu-img sees no time pass in one call of three, and gives up: "Unable to get accurate CPU usage". */
function untilTheClockIsRead(create: () => void): void {
  for (let attempt = 1; ; attempt++) {
    try {
      create();
      return;
    } catch (error) {
      if (attempt === 50 || !String(error).includes("accurate CPU usage")) throw error;
    }
  }
}

export function removeFixtures(): void {
  if (directory !== null) rmSync(directory, { recursive: true });
  directory = null;
}

export function fixturePath(name: string): string {
  if (directory === null) throw new Error("the fixtures are not made");
  return join(directory, name);
}
