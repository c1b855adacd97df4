import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { loopDevicesAvailable, type NamespaceMount } from "../support/mount-namespace.js";

const WORK_FILE_SYSTEM_BYTES = 2n * 1024n ** 3n;

/**
 * A new file system for a side's scripts: ext4 in a sparse image, or tmpfs where loop devices are missing (or with
 * COMPATIBILITY_WORK=tmpfs). Both sides' are made alike, so that sizes, blocks and free space can be compared as they are.
 */
export async function makeWorkFileSystem(image: string, onto: string): Promise<NamespaceMount> {
  if (process.env["COMPATIBILITY_WORK"] === "tmpfs" || !loopDevicesAvailable()) {
    return { kind: "tmpfs", sizeBytes: WORK_FILE_SYSTEM_BYTES, onto };
  }
  const file = await open(image, "w");
  await file.truncate(Number(WORK_FILE_SYSTEM_BYTES));
  await file.close();
  // Initialised at once: the kernel's lazy initialisation would change the numbers while scripts run.
  const options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
  await promisify(execFile)("mkfs.ext4", ["-q", "-F", "-m", "1", "-J", "size=4", "-E", options, image], {
    timeout: 60_000,
  });
  return { kind: "image", image, onto };
}
