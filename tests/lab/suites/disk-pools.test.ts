import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attachLoop } from "../../support/loop.js";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { loadModule } from "../guest/modules.js";
import { attempt, run, waitFor } from "../guest/run.js";
import { loopHost } from "../guest/scsi.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const DISK = "/dev/sda";
const VIRSH_MS = 120_000;

let cisternd: RootedDaemon;

beforeAll(async () => {
  startUdev();
  prepareTarget();
  loopHost("naa.5001405000000001", [backingStore("disk", 256 * MiB, "LABDISK")]);
  loadModule("loop", "max_part=15");
  mkdirSync("/run/lab", { recursive: true });
  cisternd = await RootedDaemon.prepare("/run/lab/c", "job_bandwidth_mib = 64\n");
  await cisternd.start();
});
afterAll(async () => {
  await cisternd?.stop();
});

const uriOf = (driver: string, socket: string) => `${driver}+unix:///system?socket=${socket}`;
const virsh = (...args: readonly string[]) =>
  run("virsh", ["--quiet", "-c", uriOf("storage", cisternd.socket), ...args], { timeoutMs: VIRSH_MS });
const names = (pool: string) =>
  virsh("vol-list", pool)
    .split("\n")
    .map((line) => line.trim().split(/\s+/)[0] ?? "")
    .filter((name) => name !== "");

function poolXml(name: string, device: string, format: string, target = "/dev"): string {
  const source = `<source><device path='${device}'/><format type='${format}'/></source>`;
  writeFileSync(
    `/tmp/${name}.xml`,
    `<pool type='disk'><name>${name}</name>${source}<target><path>${target}</path></target></pool>`,
  );
  return `/tmp/${name}.xml`;
}
function volumeXml(name: string, megabytes: number, format: string): string {
  const path = `/tmp/volume-${name}.xml`;
  const target = `<target><format type='${format}'/></target>`;
  writeFileSync(
    path,
    `<volume><name>${name}</name><capacity unit='bytes'>${Math.round(megabytes * 1_000_000)}</capacity>${target}</volume>`,
  );
  return path;
}

describe("disk pools through the whole daemon", () => {
  it("on a loop device, where libvirt cannot delete: create, upload, download, wipe, clone to and from a directory", () => {
    using loop = attachLoop(128 * MiB, { hasPartitions: true });
    const [first, second] = ["p1", "p2"].map((part) => loop.device.slice("/dev/".length) + part) as [string, string];
    virsh("pool-define", poolXml("loop", loop.device, "gpt"));
    virsh("pool-build", "loop");
    virsh("pool-start", "loop");
    virsh("vol-create", "loop", volumeXml(first, 8, "none"));
    writeFileSync("/tmp/content", Buffer.alloc(3 * MiB, "what a guest wrote "));
    virsh("vol-upload", first, "/tmp/content", "--pool", "loop");
    virsh("vol-download", first, "/tmp/back", "--pool", "loop", "--length", String(3 * MiB));
    expect(run("cmp", ["/tmp/content", "/tmp/back"])).toBe("");

    mkdirSync("/tmp/images");
    virsh("pool-create-as", "images", "dir", "--target", "/tmp/images");
    writeFileSync("/tmp/copy.xml", "<volume><name>copy</name><capacity>1</capacity></volume>");
    virsh("vol-create-from", "images", "/tmp/copy.xml", first, "--inputpool", "loop");
    expect(run("cmp", [`/dev/${first}`, "/tmp/images/copy"])).toBe("");
    virsh("vol-create-from", "loop", volumeXml(second, 9, "none"), "copy", "--inputpool", "images");
    expect(run("cmp", ["-n", String(8_000_000), `/dev/${second}`, "/tmp/images/copy"])).toBe("");

    virsh("vol-wipe", first, "loop");
    expect(run("cmp", ["-n", String(7 * MiB), `/dev/${first}`, "/dev/zero"])).toBe("");
    virsh("vol-delete", first, "loop");
    expect(names("loop")).toEqual([second]);
    virsh("vol-delete", second, "loop");
    expect(existsSync(`/dev/${second}`)).toBe(false);
    for (const pool of ["loop", "images"]) virsh("pool-destroy", pool);
    virsh("pool-undefine", "loop");
  }, 300_000);

  it("a running pool is found again after the daemon was restarted, a stopped one stays stopped", async () => {
    virsh("pool-define", poolXml("kept", DISK, "gpt"));
    virsh("pool-build", "kept", "--overwrite");
    virsh("pool-start", "kept");
    virsh("vol-create", "kept", volumeXml("sda1", 8, "none"));
    await cisternd.stop();
    await cisternd.start();
    expect(names("kept")).toEqual(["sda1"]);
    virsh("pool-destroy", "kept");
    attempt("wipefs", ["--all", "--quiet", "--force", DISK]);
    await cisternd.stop();
    await cisternd.start();
    expect(virsh("pool-list", "--all")).toMatch(/kept +inactive/);
    virsh("pool-build", "kept");
    virsh("pool-undefine", "kept");
  }, 300_000);

  it("a partition that a killed daemon was filling is gone after its next start", async () => {
    virsh("pool-define", poolXml("cut", DISK, "gpt"));
    virsh("pool-build", "cut", "--overwrite");
    virsh("pool-start", "cut");
    virsh("vol-create", "cut", volumeXml("sda1", 60, "none"));
    run("dd", ["if=/dev/urandom", "of=/dev/sda1", "bs=1M", "count=57", "status=none"]);
    writeFileSync("/run/lab/c/etc/cisternd.toml", "job_bandwidth_mib = 1\n");
    await cisternd.stop();
    await cisternd.start();
    run("sh", [
      "-c",
      `virsh -q -c '${uriOf("storage", cisternd.socket)}' vol-create-from cut ${volumeXml("sda2", 60, "none")} sda1 --inputpool cut >/tmp/cut 2>&1 &`,
    ]);
    await waitFor("the new partition", () => existsSync("/dev/sda2"), 60_000);
    expect(names("cut")).toEqual(["sda1", "sda2"]);
    await cisternd.kill();
    await cisternd.start();
    expect(names("cut")).toEqual(["sda1"]);
    expect(existsSync("/dev/sda2")).toBe(false);
    expect(cisternd.log).toContain("partition 'sda2' of '/dev/sda' was removed");
    virsh("vol-delete", "sda1", "cut");
    virsh("pool-destroy", "cut");
    virsh("pool-undefine", "cut");
  }, 300_000);

  it.each([
    ["map", "no", "map1"],
    ["map7", "no", "map7p1"],
    ["map8", "yes", "map8p1"],
  ])(
    "the map %s of device-mapper, part_separator='%s': its first partition is %s",
    (map, separates, part) => {
      using disk = mapped(map, separates);
      virsh("vol-create", disk.pool, volumeXml(part, 8, "none"));
      expect(names(disk.pool)).toEqual([part]);
      expect(existsSync(`/dev/mapper/${part}`)).toBe(true);
      virsh("vol-delete", part, disk.pool);
      expect(names(disk.pool)).toEqual([]);
      expect(existsSync(`/dev/mapper/${part}`)).toBe(false);
    },
    300_000,
  );

  it("a map whose partitions the host names otherwise than part_separator says: refused, and undone", () => {
    using disk = mapped("mapped", "yes");
    const made = attempt("virsh", [
      ...["-q", "-c", uriOf("storage", cisternd.socket), "vol-create", disk.pool],
      volumeXml("mappedp1", 8, "none"),
    ]);
    expect(made.status).toBe(1);
    expect(made.stderr).toContain("cannot find partition 1 of device '/dev/mapper/mapped' as '/dev/mapper/mappedp1'");
    expect(names(disk.pool)).toEqual([]);
    expect(run("parted", ["--script", "--machine", "/dev/mapper/mapped", "print"]).trim().split("\n")).toHaveLength(2);
  }, 300_000);
});

/** A running pool on a linear map of a part of the disk; both are gone with `dispose`. */
function mapped(map: string, separates: string): Disposable & { readonly pool: string } {
  const pool = "map";
  run("dmsetup", ["create", map, "--table", `0 200000 linear ${DISK} 4096`]);
  const document = readFileSync(poolXml(pool, `/dev/mapper/${map}`, "gpt"), "utf8");
  writeFileSync("/tmp/map.xml", document.replace("'/>", `' part_separator='${separates}'/>`));
  virsh("pool-define", "/tmp/map.xml");
  virsh("pool-build", pool, "--overwrite");
  virsh("pool-start", pool);
  return {
    pool,
    [Symbol.dispose]() {
      virsh("pool-destroy", pool);
      virsh("pool-undefine", pool);
      run("dmsetup", ["remove", map]);
    },
  };
}
