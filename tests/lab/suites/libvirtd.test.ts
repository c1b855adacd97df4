import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Libvirtd, prepareLibvirtd } from "../../support/libvirtd.js";
import { loopDisk } from "../guest/loop.js";
import { listVolumes, prepareLvm } from "../guest/lvm.js";
import { run } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const ROOT = "/run/lab/libvirtd";
const IMAGES = "/srv/images";

// The other side of every comparison: the real libvirtd, with storage that no container has.
describe("a real libvirtd in a guest", () => {
  let libvirtd: Libvirtd;

  beforeAll(async () => {
    startUdev();
    prepareLvm();
    mkdirSync(ROOT, { recursive: true });
    mkdirSync(IMAGES, { recursive: true });
    libvirtd = await prepareLibvirtd(ROOT);
    await libvirtd.daemon.start();
  });
  afterAll(async () => {
    await libvirtd?.close();
  });

  const virsh = (...args: readonly string[]) =>
    run("virsh", ["--quiet", "-c", `qemu+unix:///system?socket=${libvirtd.socket}`, ...args]);

  it("has a directory pool", () => {
    virsh("pool-define-as", "images", "dir", "--target", IMAGES);
    virsh("pool-start", "images");
    virsh("vol-create-as", "images", "a.qcow2", "64M", "--format", "qcow2");
    expect(readdirSync(IMAGES)).toEqual(["a.qcow2"]);
    virsh("pool-destroy", "images");
  });

  it("builds a logical pool, and makes a volume in it", () => {
    const { device } = loopDisk(256 * MiB);
    virsh(
      "pool-define-as",
      "group",
      "logical",
      "--source-dev",
      device,
      "--source-name",
      "group",
      "--target",
      "/dev/group",
    );
    virsh("pool-build", "group");
    virsh("pool-start", "group");
    virsh("vol-create-as", "group", "disk", "16M");
    expect(listVolumes("group", ["lv_name", "lv_size"])).toEqual([["disk", String(16 * MiB)]]);
    expect(existsSync("/dev/group/disk")).toBe(true);
    virsh("vol-delete", "--pool", "group", "disk");
    virsh("pool-destroy", "group");
    virsh("pool-delete", "group");
    expect(run("vgs", ["--noheadings", "-o", "vg_name"]).trim()).toBe("");
  });
});
