import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lane } from "../lanes/guest.js";
import { qemuLane } from "../lanes/qemu.js";
import { umlLane } from "../lanes/uml.js";

const TIME_LIMIT_MS = 90_000;
const DISK_BYTES = 64 * 1024 * 1024;

// How to see what survives when the power goes: a guest writes to a disk that is a file here, is killed at a moment that
// this side chooses, and a second guest looks at the disk.
describe.each([umlLane, qemuLane])("a power cut on the lane $name", (lane) => {
  let directory: string;
  let disk: string;

  beforeEach((context) => {
    const reason = lane.unavailable();
    context.skip(reason !== undefined, reason);
    directory = mkdtempSync(join(tmpdir(), "cistern-power-cut-"));
    disk = join(directory, "disk");
    writeFileSync(disk, "");
    truncateSync(disk, DISK_BYTES);
  });
  afterEach(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  it("takes what was not flushed, and leaves what was", { timeout: 2 * TIME_LIMIT_MS }, async () => {
    const device = lane.diskName(0);
    await untilItSays(
      lane,
      disk,
      "written",
      [
        `mkfs.ext4 -q ${device} && mount ${device} /mnt`,
        "echo kept >/mnt/flushed && sync /mnt/flushed && sync -f /mnt",
        "echo lost >/mnt/unflushed",
        "echo written && sleep 600",
      ].join("\n"),
    );
    const seen = await outputOf(
      lane,
      disk,
      `mount ${device} /mnt && cd /mnt && for f in flushed unflushed; do cat $f; done`,
    );
    expect(seen).toBe("kept\n");
  });

  it("leaves everything when the guest ends in order", { timeout: 2 * TIME_LIMIT_MS }, async () => {
    const device = lane.diskName(0);
    await outputOf(lane, disk, `mkfs.ext4 -q ${device} && mount ${device} /mnt && echo kept >/mnt/unflushed`);
    expect(await outputOf(lane, disk, `mount ${device} /mnt && cat /mnt/unflushed`)).toBe("kept\n");
  });
});

/** Boots a guest, waits until its script has said a word, and cuts the power. */
async function untilItSays(lane: Lane, disk: string, word: string, script: string): Promise<void> {
  let said = "";
  let hear = () => {};
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const guest = await lane.boot({
    command: ["sh", "-c", script],
    disks: [disk],
    timeLimitMs: TIME_LIMIT_MS,
    onStdout: (bytes) => {
      said += String(bytes);
      if (said.includes(word)) hear();
    },
  });
  try {
    const early = guest.ended.then(({ status }) => {
      throw new Error(`the guest ended with status ${status} before it said "${word}"`);
    });
    await Promise.race([heard, early]);
  } finally {
    await guest.kill();
  }
}

async function outputOf(lane: Lane, disk: string, script: string): Promise<string> {
  let output = "";
  const guest = await lane.boot({
    command: ["sh", "-c", script],
    disks: [disk],
    timeLimitMs: TIME_LIMIT_MS,
    onStdout: (bytes) => {
      output += String(bytes);
    },
  });
  await guest.ended;
  return output;
}
