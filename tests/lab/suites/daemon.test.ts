import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { loopDisk } from "../guest/loop.js";
import { run } from "../guest/run.js";

const MiB = 1024 * 1024;

// That cisternd is at home in a guest: native calls, threads and programs, on one processor.
describe.each(["tmpfs", "ext4"])("cisternd in a guest, on %s", (type) => {
  let place: string;
  let daemon: RootedDaemon;

  beforeAll(async () => {
    place = mkdtempSync("/tmp/daemon-");
    if (type === "ext4") {
      const { device } = loopDisk(256 * MiB);
      run("mkfs.ext4", ["-q", device]);
      run("mount", [device, place]);
    }
    mkdirSync(join(place, "images"));
    daemon = await RootedDaemon.prepare(join(place, "d"));
    await daemon.start();
  });
  afterAll(async () => {
    await daemon?.stop();
  });

  it("serves virsh: a pool, a volume, its clone, and their end", () => {
    const virsh = (...args: readonly string[]) =>
      execFileSync("virsh", ["--quiet", "-c", `storage+unix:///system?socket=${daemon.socket}`, ...args], {
        encoding: "utf8",
        timeout: 60_000,
      });
    virsh("pool-define-as", "images", "dir", "--target", join(place, "images"));
    virsh("pool-start", "images");
    virsh("vol-create-as", "images", "a.qcow2", "64M", "--format", "qcow2");
    virsh("vol-clone", "--pool", "images", "a.qcow2", "b.qcow2");
    expect(readdirSync(join(place, "images")).filter((name) => name !== "lost+found")).toEqual(["a.qcow2", "b.qcow2"]);
    virsh("vol-delete", "--pool", "images", "a.qcow2");
    virsh("vol-delete", "--pool", "images", "b.qcow2");
    expect(virsh("vol-list", "images").trim()).toBe("");
    virsh("pool-destroy", "images");
    virsh("pool-undefine", "images");
  });
});
