import { existsSync, mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Libvirtd, prepareLibvirtd } from "../../support/libvirtd.js";
import { loopDisk } from "../guest/loop.js";
import { run, waitFor } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";
import { type Zpool, zpool } from "../guest/zfs.js";

const MiB = 1024 * 1024;
const ROOT = "/run/lab/libvirtd";

describe("ZFS in a guest", () => {
  let pool: Zpool;
  let libvirtd: Libvirtd;

  beforeAll(async () => {
    startUdev({ zfs: true });
    pool = zpool("tank", [loopDisk(512 * MiB).device]);
    mkdirSync(ROOT, { recursive: true });
    libvirtd = await prepareLibvirtd(ROOT);
    await libvirtd.daemon.start();
  });
  afterAll(async () => {
    await libvirtd?.close();
    pool?.[Symbol.dispose]();
  });

  it("makes volumes that udev names, thick and sparse", async () => {
    run("zfs", ["create", "-V", "32M", "tank/thick"]);
    run("zfs", ["create", "-s", "-V", "1G", "tank/sparse"]);
    await waitFor("the appearance of the volumes' devices", () =>
      ["thick", "sparse"].every((name) => existsSync(`/dev/zvol/tank/${name}`)),
    );
    // thick	33554432	35127296
    const rows = run("zfs", ["list", "-Hp", "-t", "volume", "-o", "name,volsize,refreservation"]).trim().split("\n");
    expect(rows.map((row) => row.split("\t").slice(0, 2))).toEqual([
      ["tank/sparse", String(1024 * MiB)],
      ["tank/thick", String(32 * MiB)],
    ]);
    run("zfs", ["destroy", "tank/thick"]);
    run("zfs", ["destroy", "tank/sparse"]);
  });

  it("is a pool of the real libvirtd", () => {
    const virsh = (...args: readonly string[]) =>
      run("virsh", ["--quiet", "-c", `qemu+unix:///system?socket=${libvirtd.socket}`, ...args]);
    virsh("pool-define-as", "tank", "zfs", "--source-name", "tank", "--target", "/dev/zvol/tank");
    virsh("pool-start", "tank");
    virsh("vol-create-as", "tank", "disk", "16M");
    expect(run("zfs", ["list", "-H", "-t", "volume", "-o", "name"]).trim()).toBe("tank/disk");
    virsh("vol-delete", "--pool", "tank", "disk");
    virsh("pool-destroy", "tank");
  });
});
