import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { loopDisk } from "../guest/loop.js";
import { prepareLvm } from "../guest/lvm.js";
import { attempt, run } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const ROOT = "/run/lab/d";
const VIRSH_MS = 110_000;
const IMAGES = "/srv/images";

// Logical pools through the whole daemon, by libvirt's own client. The tests follow each other: a pool's life.
describe("a logical pool", () => {
  let daemon: RootedDaemon;
  const ask = (...args: readonly string[]) =>
    attempt("virsh", ["--quiet", "-c", `storage+unix:///system?socket=${daemon.socket}`, ...args], {
      timeoutMs: VIRSH_MS,
    });
  const virsh = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = ask(...args);
    if (status !== 0) throw new Error(`virsh ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const refused = (...args: readonly string[]): string => {
    const { status, stderr } = ask(...args);
    expect(status).toBe(1);
    return stderr.trim().split("\n").slice(1).join("\n");
  };
  const volumes = (pool = "lp"): string[] =>
    virsh("vol-list", pool)
      .split("\n")
      .flatMap((line) => line.trim().split(/\s+/)[0] || [])
      .sort();
  const state = (): string | undefined => /State:\s+(\w+)/.exec(virsh("pool-info", "lp"))?.[1];
  const disks: string[] = [];

  beforeAll(async () => {
    startUdev();
    prepareLvm();
    for (let number = 0; number < 2; number++) disks.push(loopDisk(256 * MiB).device);
    mkdirSync(IMAGES, { recursive: true });
    mkdirSync("/run/lab", { recursive: true });
    daemon = await RootedDaemon.prepare(ROOT);
    await daemon.start();
  });
  afterAll(async () => {
    await daemon?.stop();
  });
  beforeEach(() => {
    expect(daemon.running).toBe(true);
  });

  test("is defined, built of two devices, and started", () => {
    const devices = disks.map((device) => `<device path='${device}'/>`).join("");
    writeFileSync(
      "/tmp/lp.xml",
      `<pool type='logical'><name>lp</name><source>${devices}<name>lab</name><format type='lvm2'/></source></pool>`,
    );
    virsh("pool-define", "/tmp/lp.xml");
    expect(refused("pool-start", "lp")).toBe(
      "error: unsupported configuration: cannot find logical volume group name 'lab'",
    );
    virsh("pool-build", "lp");
    virsh("pool-start", "lp");
    expect(state()).toBe("running");
    expect(virsh("pool-dumpxml", "lp")).toContain(`<capacity unit='bytes'>${504 * MiB}</capacity>`);
    expect(virsh("find-storage-pool-sources", "logical")).toContain("<name>lab</name>");
  });

  test("has volumes: plain, sparse, snapshots", () => {
    virsh("vol-create-as", "lp", "a", "32M");
    virsh("vol-create-as", "lp", "sparse", "64M", "--allocation", "8M");
    // With room for all that is written to its origin below: one that overflows is lost, and no longer shown.
    virsh("vol-create-as", "lp", "snap", "32M", "--allocation", "36M", "--backing-vol", "a");
    expect(volumes()).toEqual(["a", "snap", "sparse"]);
    expect(virsh("vol-path", "--pool", "lp", "a")).toBe("/dev/lab/a");
    const key = virsh("vol-key", "--pool", "lp", "a");
    expect(key).toBe(run("lvs", ["--noheadings", "-o", "lv_uuid", "lab/a"]).trim());
    expect(virsh("vol-name", key)).toBe("a");
    expect(virsh("vol-dumpxml", "--pool", "lp", "snap")).toContain("<path>/dev/lab/a</path>");
    expect(virsh("pool-info", "--bytes", "lp")).toMatch(new RegExp(`Allocation:\\s+${76 * MiB}\\b`));
  });

  test("says in LVM's words why it makes none", () => {
    expect(refused("vol-create-as", "lp", "a", "32M")).toBe("error: storage volume 'a' exists already");
    expect(refused("vol-create-as", "lp", "huge", "8G")).toMatch(
      /^error: internal error: Child process \(\/usr\/sbin\/lvcreate --name huge -L 8388608K lab --yes\) unexpected exit status 5: {3}Volume group "lab" has insufficient free space/,
    );
    expect(refused("vol-create-as", "lp", "zero", "0")).toMatch(/volume capacity required for this storage pool$/);
    expect(volumes()).toEqual(["a", "snap", "sparse"]);
  });

  test("takes content and gives it back", () => {
    run("dd", ["if=/dev/urandom", "of=/tmp/in", "bs=1M", "count=32"]);
    virsh("vol-upload", "--pool", "lp", "a", "/tmp/in");
    virsh("vol-download", "--pool", "lp", "a", "/tmp/out");
    run("cmp", ["/tmp/in", "/tmp/out"]);
    run("cmp", ["/tmp/in", "/dev/lab/a"]);
  });

  test("is cloned within, from and to a directory", () => {
    virsh("pool-define-as", "images", "dir", "--target", IMAGES);
    virsh("pool-start", "images");
    virsh("vol-clone", "--pool", "lp", "a", "b");
    run("cmp", ["/dev/lab/a", "/dev/lab/b"]);
    writeFileSync(
      "/tmp/v.xml",
      "<volume><name>a.qcow2</name><capacity/><target><format type='qcow2'/></target></volume>",
    );
    virsh("vol-create-from", "images", "/tmp/v.xml", "a", "--inputpool", "lp");
    run("qemu-img", ["compare", "-F", "raw", "-f", "qcow2", `${IMAGES}/a.qcow2`, "/dev/lab/a"]);
    writeFileSync("/tmp/v.xml", "<volume><name>back</name><capacity/></volume>");
    virsh("vol-create-from", "lp", "/tmp/v.xml", "a.qcow2", "--inputpool", "images");
    run("cmp", ["/dev/lab/a", "/dev/lab/back"]);
    virsh("vol-delete", "--pool", "lp", "back");
  });

  test("is wiped, if it is not sparse, and not resized", () => {
    virsh("vol-wipe", "--pool", "lp", "b");
    run("cmp", ["-n", String(32 * MiB), "/dev/lab/b", "/dev/zero"]);
    expect(refused("vol-wipe", "--pool", "lp", "sparse")).toMatch(
      /logical volume '\/dev\/lab\/sparse' is sparse, volume wipe not supported$/,
    );
    expect(refused("vol-resize", "--pool", "lp", "b", "80M")).toMatch(
      /storage pool does not support changing of volume capacity$/,
    );
  });

  test("shows thin volumes, and no thin pools", () => {
    run("lvcreate", ["-q", "-y", "--type", "thin-pool", "-L", "32M", "-n", "tp", "lab"]);
    run("lvcreate", ["-q", "-y", "-V", "1G", "-T", "lab/tp", "-n", "thin"]);
    virsh("pool-refresh", "lp");
    expect(volumes()).toEqual(["a", "b", "snap", "sparse", "thin"]);
    expect(virsh("vol-info", "--bytes", "--pool", "lp", "thin")).toMatch(/Capacity: +1073741824 .*\nAllocation: +0 /);
    virsh("vol-delete", "--pool", "lp", "thin");
    run("lvremove", ["-q", "-y", "lab/tp"]);
  });

  test("is found again by the next daemon, and what a dead one was making is gone", async () => {
    writeFileSync(`${ROOT}/etc/cisternd.toml`, "job_bandwidth_mib = 1\n");
    await daemon.stop();
    await daemon.start();
    expect(state()).toBe("running");
    expect(volumes()).toEqual(["a", "b", "snap", "sparse"]);
    // virsh waits for the clone; the daemon dies meanwhile.
    writeFileSync("/tmp/v.xml", "<volume><name>half</name><capacity/></volume>");
    const socket = `storage+unix:///system?socket=${daemon.socket}`;
    const client = spawn("virsh", ["-c", socket, "vol-create-from", "lp", "/tmp/v.xml", "a", "--inputpool", "lp"]);
    const temporary = (): boolean => run("lvs", ["--noheadings", "-o", "lv_name", "lab"]).includes("cistern-new-");
    for (let tries = 0; tries < 100 && !temporary(); tries++) await sleep(50);
    expect(temporary()).toBe(true);
    await daemon.kill();
    client.kill();
    expect(temporary()).toBe(true);
    writeFileSync(`${ROOT}/etc/cisternd.toml`, "");
    await daemon.start();
    expect(temporary()).toBe(false);
    expect(daemon.log).toContain("was removed");
    expect(volumes()).toEqual(["a", "b", "snap", "sparse"]);
  });

  test("keeps snapshots from losing their origin, unless they are to go with it", () => {
    expect(refused("vol-delete", "--pool", "lp", "a")).toMatch(/volume 'a' is still in use/);
    virsh("vol-delete", "--pool", "lp", "a", "--delete-snapshots");
    expect(volumes()).toEqual(["b", "sparse"]);
  });

  test("is not stopped while somebody uses a volume", async () => {
    const user = spawn("sh", ["-c", "exec sleep 600 < /dev/lab/b"]);
    await sleep(500);
    expect(refused("pool-destroy", "lp")).toMatch(/Logical volume lab\/b in use/);
    expect(state()).toBe("running");
    expect(run("lvs", ["--noheadings", "-o", "lv_active", "lab"]).match(/active/g)).toHaveLength(2);
    user.kill();
    await sleep(500);
    virsh("pool-destroy", "lp");
    expect(state()).toBe("inactive");
    expect(run("lvs", ["--noheadings", "-o", "lv_active", "lab"])).not.toContain("active");
  });

  test("stays stopped when the daemon is started anew", async () => {
    await daemon.stop();
    await daemon.start();
    expect(state()).toBe("inactive");
  });

  test("whose group vanishes is stopped by a refresh, with libvirt's error", () => {
    virsh("pool-start", "lp");
    run("vgchange", ["-q", "-an", "lab"]);
    run("vgrename", ["-q", "lab", "elsewhere"]);
    expect(refused("pool-refresh", "lp")).toMatch(/unexpected exit status 5: {3}Volume group "lab" not found/);
    expect(state()).toBe("inactive");
    run("vgrename", ["-q", "elsewhere", "lab"]);
  });

  test("is deleted with its group", () => {
    virsh("pool-delete", "lp");
    expect(run("vgs", ["--noheadings"]).trim()).toBe("");
    expect(run("pvs", ["--noheadings"]).trim()).toBe("");
    virsh("pool-undefine", "lp");
  });
});
