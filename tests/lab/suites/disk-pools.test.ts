import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepareLibvirtd } from "../../support/libvirtd.js";
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

/** What virsh says, step by step, of a disk that has nothing on it at the beginning. */
function transcript(uri: string): string[] {
  run("wipefs", ["--all", "--quiet", "--force", DISK]);
  run("dd", ["if=/dev/zero", `of=${DISK}`, "bs=1M", "count=256", "conv=fsync", "status=none"]);
  attempt("blockdev", ["--rereadpt", DISK]);
  const said: string[] = [];
  const say = (...args: readonly string[]) => {
    const { status, stdout, stderr } = attempt("virsh", ["-c", uri, ...args], { timeoutMs: VIRSH_MS });
    said.push(`$ virsh ${args.join(" ")}\n${comparable(stdout + stderr)}[${status}]`);
  };
  const create = (pool: string, name: string, megabytes: number, format: string) =>
    say("vol-create", pool, volumeXml(name, megabytes, format));

  say("pool-define", poolXml("d", DISK, "unknown"));
  say("pool-start", "d");
  say("pool-build", "d");
  say("pool-build", "d", "--no-overwrite");
  say("pool-start", "d");
  create("d", "sda1", 5, "linux");
  create("d", "x", 5, "linux");
  say("pool-info", "d");
  create("d", "sda2", 90, "extended");
  say("vol-dumpxml", "sda1", "d");
  say("vol-dumpxml", "sda2", "d");
  create("d", "sda3", 7, "linux-swap");
  create("d", "sda4", 3, "none");
  create("d", "sda5", 8, "fat32");
  create("d", "sda6", 400, "linux");
  create("d", "sda6", 7, "linux-lvm");
  create("d", "sda7", 9, "extended");
  say("pool-dumpxml", "d");
  say("vol-list", "d", "--details");
  said.push(run("parted", ["--script", DISK, "unit", "B", "print"]));
  say("vol-wipe", "sda2", "d");
  say("vol-resize", "sda1", "20M", "d");
  say("vol-delete", "sda5", "d");
  say("vol-list", "d", "--details");
  say("vol-dumpxml", "sda2", "d");
  say("vol-delete", "sda1", "d");
  create("d", "sda1", 4, "linux");
  say("pool-refresh", "d");
  say("vol-dumpxml", "sda1", "d");
  say("pool-dumpxml", "d");
  say("pool-destroy", "d");
  say("pool-undefine", "d");

  say("pool-define", poolXml("g", DISK, "gpt", "/dev/disk/by-id"));
  say("pool-start", "g");
  say("pool-build", "g");
  say("pool-build", "g", "--overwrite");
  say("pool-start", "g");
  create("g", "sda1", 10, "none");
  create("g", "sda2", 11.0001, "linux");
  say("vol-list", "g");
  say("vol-create-from", "g", volumeXml("sda3", 10, "none"), "sda1", "--inputpool", "g");
  say("vol-dumpxml", "sda3", "g");
  say("vol-delete", "sda2", "g");
  say("pool-dumpxml", "g");
  say("pool-destroy", "g");
  say("pool-delete", "g");
  say("pool-start", "g");
  say("pool-undefine", "g");

  say("pool-define", poolXml("v", DISK, "dvh"));
  say("pool-start", "v");
  say("pool-build", "v");
  say("pool-build", "v");
  say("pool-start", "v");
  say("pool-dumpxml", "v");
  say("vol-list", "v", "--details");
  say("pool-destroy", "v");
  say("pool-undefine", "v");
  return said;
}

/** Without what differs from one run to the next, and how a program was found. */
function comparable(output: string): string {
  return output
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID")
    .replace(/<([amc]time)>[^<]*</g, "<$1>TIME<")
    .replaceAll("(/usr/sbin/parted ", "(parted ");
}

describe("disk pools beside a real libvirtd", () => {
  it("virsh says the same of both, step by step", async () => {
    mkdirSync("/run/lab/l", { recursive: true });
    const libvirtd = await prepareLibvirtd("/run/lab/l");
    let theirs: string[];
    try {
      await libvirtd.daemon.start();
      theirs = transcript(uriOf("qemu", libvirtd.socket));
    } finally {
      await libvirtd.close();
    }
    expect(transcript(uriOf("storage", cisternd.socket))).toEqual(theirs);
  }, 900_000);
});

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
      `virsh -q -c '${uriOf("storage", cisternd.socket)}' vol-create-from cut ${volumeXml("sda2", 60, "none")} sda1 >/tmp/cut 2>&1 &`,
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

  it("a map of device-mapper, whose partitions are separated by part_separator or by its name's last digit", () => {
    const size = 200_000;
    for (const [map, separates, part] of [
      ["map", "no", "map1"],
      ["mapped", "yes", "mappedp1"],
      ["map7", "no", "map7p1"],
    ] as const) {
      run("dmsetup", ["create", map, "--table", `0 ${size} linear ${DISK} 4096`]);
      writeFileSync(
        "/tmp/map.xml",
        readFileSync(poolXml("map", `/dev/mapper/${map}`, "gpt"), "utf8").replace(
          "'/>",
          `' part_separator='${separates}'/>`,
        ),
      );
      virsh("pool-define", "/tmp/map.xml");
      virsh("pool-build", "map", "--overwrite");
      virsh("pool-start", "map");
      const outcome = attempt("virsh", [
        "-q",
        "-c",
        uriOf("storage", cisternd.socket),
        "vol-create",
        "map",
        volumeXml(part, 8, "none"),
      ]);
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      expect(names("map")).toEqual([part]);
      virsh("vol-delete", part, "map");
      expect(names("map")).toEqual([]);
      virsh("pool-destroy", "map");
      virsh("pool-undefine", "map");
      run("dmsetup", ["remove", map]);
    }
  }, 300_000);
});
