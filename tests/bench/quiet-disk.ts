import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 100;
/** So many looks in a row at which nothing has happened. */
const QUIET_LOOKS = 3;
const LONGEST_MS = 20_000;

/**
 * Waits until the disk below a directory has had nothing to do for a moment: what a file system hands it after the answer
 * (blocks to discard, of thousands of files that a row before has deleted) would slow down whoever is measured next. A disk
 * that never rests is waited for 20 seconds.
 */
export async function quietDisk(directory: string): Promise<void> {
  const { dev } = await stat(directory);
  // As glibc takes a device number apart; disks and their partitions have small ones.
  const counters = `/sys/dev/block/${(dev >> 8) & 0xfff}:${dev & 0xff}/stat`;
  const endsAtMs = performance.now() + LONGEST_MS;
  let before = "";
  for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() < endsAtMs; ) {
    const now = await readFile(counters, "utf8").catch(() => null);
    // No disk of this host.
    if (now === null) return;
    quiet = now === before ? quiet + 1 : 0;
    before = now;
    await sleep(LOOK_MS);
  }
}
