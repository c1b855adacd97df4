import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { type LoopDisk, loopDisk } from "../guest/loop.js";
import { attempt, type Outcome, run, waitFor } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";
import { prepareZfs } from "../guest/zfs.js";
import { listDatasets, property } from "../guest/zfs-datasets.js";

const MiB = 1024 * 1024;

// Each step waits for ZFS to write a transaction group, emulated, on a machine that is shared with other guests.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

// ZFS pools through the whole daemon, as virsh sees them. The steps follow each other.
describe("zfs pools of cisternd", () => {
  let place: string;
  let disk: LoopDisk;
  let daemon: RootedDaemon;

  beforeAll(async () => {
    startUdev({ zfs: true });
    prepareZfs();
    disk = loopDisk(512 * MiB);
    place = mkdtempSync("/tmp/zfs-");
    mkdirSync(join(place, "images"));
    daemon = await RootedDaemon.prepare(join(place, "d"));
    await daemon.start();
    virsh("pool-define-as", "images", "dir", "--target", join(place, "images"));
    virsh("pool-start", "images");
  });
  afterAll(async () => {
    await daemon?.stop();
    attempt("zpool", ["destroy", "-f", "vm"]);
  });

  const uri = () => `storage+unix:///system?socket=${daemon.socket}`;
  const virsh = (...args: readonly string[]): string =>
    run("virsh", ["--quiet", "-c", uri(), ...args], { timeoutMs: 240_000 });
  const refused = (...args: readonly string[]): Outcome =>
    attempt("virsh", ["--quiet", "-c", uri(), ...args], { timeoutMs: 240_000 });
  const volumes = (pool: string): string[] =>
    virsh("vol-list", pool)
      .split("\n")
      .flatMap((line) => line.trim().split(/\s+/)[0] || []);

  test("a pool that is not there does not start, and says what zpool said", () => {
    virsh("pool-define-as", "vm", "zfs", "--source-dev", disk.device, "--source-name", "vm");
    const { status, stderr } = refused("pool-start", "vm");
    expect(status).toBe(1);
    expect(stderr).toContain("cannot open 'vm': no such pool");
    expect(virsh("pool-list", "--all")).toMatch(/vm\s+inactive/);
  });

  test("it is built and started", () => {
    virsh("pool-build", "vm");
    virsh("pool-start", "vm");
    expect(virsh("pool-dumpxml", "vm")).toContain("<path>/dev/zvol/vm</path>");
    expect(virsh("pool-info", "vm")).toMatch(/State:\s+running/);
  });

  test("volumes are made, full and sparse", () => {
    virsh("vol-create-as", "vm", "full", "8M");
    virsh("vol-create-as", "vm", "sparse", "64M", "--allocation", "0");
    expect(volumes("vm")).toEqual(["full", "sparse"]);
    expect(virsh("vol-path", "full", "vm").trim()).toBe("/dev/zvol/vm/full");
    expect(statSync("/dev/zvol/vm/full").isBlockDevice()).toBe(true);
    expect(property("vm/sparse", "refreservation")).toBe("0");
    expect(refused("vol-create-as", "vm", "full", "8M").stderr).toContain("storage volume 'full' exists already");
  });

  test("what is uploaded is downloaded", () => {
    const data = Buffer.alloc(MiB, "what a guest wrote ");
    writeFileSync(join(place, "data"), data);
    virsh("vol-upload", "full", join(place, "data"), "--pool", "vm", "--offset", "1048576");
    virsh("vol-download", "full", join(place, "back"), "--pool", "vm", "--offset", "1048576", "--length", `${MiB}`);
    expect(readFileSync(join(place, "back")).equals(data)).toBe(true);
  });

  test("clones: within the pool, to a directory and back", () => {
    virsh("vol-clone", "--pool", "vm", "full", "copy");
    run("cmp", ["/dev/zvol/vm/full", "/dev/zvol/vm/copy"]);
    const named = (name: string, format: string) => {
      const document = `<volume><name>${name}</name><capacity>0</capacity><target><format type='${format}'/></target></volume>`;
      writeFileSync(join(place, `${name}.xml`), document);
      return join(place, `${name}.xml`);
    };
    virsh("vol-create-from", "images", named("out.qcow2", "qcow2"), "full", "--inputpool", "vm");
    expect(run("qemu-img", ["info", join(place, "images/out.qcow2")])).toContain("file format: qcow2");
    virsh("vol-create-from", "vm", named("back", "raw"), "out.qcow2", "--inputpool", "images");
    run("cmp", ["/dev/zvol/vm/full", "/dev/zvol/vm/back"]);
    expect(volumes("vm")).toEqual(["back", "copy", "full", "sparse"]);
  });

  test("a volume grows, and is wiped", () => {
    virsh("vol-resize", "full", "9M", "--pool", "vm");
    expect(property("vm/full", "volsize")).toBe(String(9 * MiB));
    virsh("vol-wipe", "full", "--pool", "vm");
    run("cmp", ["-n", String(9 * MiB), "/dev/zvol/vm/full", "/dev/zero"]);
  });

  test("volumes are deleted", () => {
    for (const name of ["copy", "back"]) virsh("vol-delete", name, "--pool", "vm");
    expect(listDatasets("vm", "volume")).toEqual(["vm/full", "vm/sparse"]);
  });

  test("a dataset is a pool of its own", () => {
    virsh("pool-define-as", "inner", "zfs", "--source-name", "vm/inner");
    virsh("pool-build", "inner");
    virsh("pool-start", "inner");
    virsh("vol-create-as", "inner", "v", "1M");
    virsh("pool-refresh", "vm");
    expect(volumes("vm")).toEqual(["full", "sparse"]);
    expect(volumes("inner")).toEqual(["v"]);
    virsh("pool-destroy", "inner");
    virsh("pool-delete", "inner");
    expect(listDatasets("vm", "filesystem")).toEqual(["vm"]);
  });

  test("a daemon that died in the middle of a clone leaves nothing", async () => {
    run("dd", ["if=/dev/urandom", "of=/dev/zvol/vm/sparse", "bs=1M", "count=8", "conv=fsync"], { timeoutMs: 240_000 });
    const clone = spawn("virsh", ["-c", uri(), "vol-clone", "--pool", "vm", "sparse", "half"], { stdio: "ignore" });
    const ended = once(clone, "exit");
    await waitFor("the beginning of the clone", () => listDatasets("vm", "volume").some(isTemporary), 60_000);
    await daemon.kill();
    await ended;
    expect(listDatasets("vm", "volume").filter(isTemporary)).toHaveLength(1);
    await daemon.start();
    await waitFor("the undoing of the clone", () => !listDatasets("vm", "volume").some(isTemporary), 60_000);
    // What ran runs again; what was stopped stays so.
    expect(virsh("pool-list", "--all")).toMatch(/inner\s+inactive[\s\S]*vm\s+active/);
    expect(volumes("vm")).toEqual(["full", "sparse"]);
  });

  test("a pool whose zpool went away stops at its next refresh, with the reason", () => {
    run("zpool", ["export", "vm"]);
    expect(refused("pool-refresh", "vm").stderr).toContain("no such pool");
    expect(virsh("pool-list", "--all")).toMatch(/vm\s+inactive/);
    run("zpool", ["import", "-d", disk.device, "vm"]);
    virsh("pool-start", "vm");
    expect(volumes("vm")).toEqual(["full", "sparse"]);
  });

  test("it is stopped and deleted", () => {
    virsh("pool-destroy", "vm");
    virsh("pool-delete", "vm");
    expect(attempt("zpool", ["list", "vm"]).status).toBe(1);
    virsh("pool-undefine", "vm");
  });
});

function isTemporary(name: string): boolean {
  return name.includes("/cistern-new-");
}
