import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { attachLoop, loopRequirements } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { RootedDaemon } from "../support/rooted-daemon.js";

it("a creation for which the journal has no room names the journal, and not the pool, which has some", async (context) => {
  const reason = missing(loopRequirements("ext4"));
  context.skip(reason !== null, reason ?? "");
  const root = await mkdtemp(join(tmpdir(), "cistern-full-journal-"));
  const [target, journal] = [join(root, "images"), join(root, "var/journal")];
  for (const path of [target, journal]) mkdirSync(path, { recursive: true });
  using loop = attachLoop(4 * 1_048_576);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", loop.device]);
  execFileSync("mount", [loop.device, journal]);
  const daemon = await RootedDaemon.prepare(root);
  try {
    await daemon.start();
    fill(journal);
    const connection = await daemon.connect();
    const pool = await connection.definePool(
      `<pool type='dir'><name>images</name><target><path>${target}</path></target></pool>`,
    );
    await pool.start();
    const document = `<volume><name>v</name><capacity>0</capacity><target><format type='dir'/></target></volume>`;
    await expect(pool.createVolume(document)).rejects.toThrow(
      `create volume 'v' of pool 'images': it cannot be written down in the journal '${journal}': No space left on device`,
    );
    expect(readdirSync(target)).toEqual([]);
  } finally {
    await daemon.stop();
    execFileSync("umount", [journal]);
    await rm(root, { recursive: true, force: true });
  }
});

/** Down to the last block. */
function fill(directory: string): void {
  for (const bytes of [65_536, 1_024]) {
    try {
      for (let index = 0; ; index++) writeFileSync(join(directory, `${bytes}-${index}`), Buffer.alloc(bytes, 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
