import { writeFileSync } from "node:fs";
import { readPool } from "@cistern/documents";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { scsiDriver } from "../../../packages/daemon/dist/drivers/scsi.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import { covers } from "../../support/covers.js";
import { LabDaemon } from "../guest/daemon.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { loadModule } from "../guest/modules.js";
import { run } from "../guest/run.js";
import { disksOf, type LoopHost, loopHost, removeDisk, scsiHosts } from "../guest/scsi.js";
import { settle, startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const BY_ID = "/dev/disk/by-id";

describe("scsi pools", () => {
  let lab: LabDaemon;
  let loop: LoopHost;

  beforeAll(async () => {
    startUdev();
    prepareTarget();
    const stores = [backingStore("a", 64 * MiB, "LAB000A"), backingStore("b", 32 * MiB, "LAB000B")];
    loop = loopHost("naa.5001405000000001", stores);
    lab = await LabDaemon.start();
  });
  afterEach(async () => {
    await lab.clear();
  });
  afterAll(() => lab?.daemon.stop());

  complies("scsi", {
    driver: scsiDriver,
    pool: async () =>
      readPool(
        `<pool type='scsi'><name>c</name><source><adapter type='scsi_host' name='${loop.host}'/></source>
        <target><path>${BY_ID}</path></target></pool>`,
      ),
    found: () => ["unit:0:1:0", "unit:0:1:1"],
    isAlwaysThere: true,
  });

  it.each(["host", "scsi_host"])("shows the LUNs of a host by stable paths, named as %sN", async (prefix) => {
    const name = loop.host.replace("host", prefix);
    await definePool(lab, "p", `<adapter type='scsi_host' name='${name}'/>`);
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:1:0", "unit:0:1:1"]);
    expect(await lab.virsh("pool-dumpxml", "p")).toContain(`<capacity unit='bytes'>${96 * MiB}</capacity>`);
    const volume = await lab.virsh("vol-dumpxml", "unit:0:1:0", "--pool", "p");
    expect(volume).toContain(`<capacity unit='bytes'>${64 * MiB}</capacity>`);
    const path = /<path>(.*)<\/path>/.exec(volume)?.[1] ?? "";
    expect(path.startsWith(`${BY_ID}/`)).toBe(true);
    expect(run("readlink", ["-f", path]).trim()).toBe("/dev/sda");
    expect(volume).toContain(`<key>${serial("/dev/sda")}</key>`);
    expect((await lab.virsh("vol-pool", path)).trim()).toBe("p");
    await lab.virsh("pool-destroy", "p");
    expect(disksOf(loop.host)).toHaveLength(2);
  });

  it("uploads, downloads, wipes and is copied from", async () => {
    covers("scsi", "real", "pool.scan", "volume.upload", "volume.download", "volume.wipe");
    await definePool(lab, "p", `<adapter type='scsi_host' name='${loop.host}'/>`);
    await lab.virsh("pool-start", "p");
    const content = lab.path("content");
    run("dd", ["if=/dev/urandom", `of=${content}`, "bs=1M", "count=32", "status=none"]);
    await lab.virsh("vol-upload", "unit:0:1:1", content, "--pool", "p");
    run("cmp", [content, "/dev/sdb"]);
    await lab.virsh("pool-create-as", "d", "dir", "--target", lab.path("d"), "--build");
    writeFileSync(lab.path("copy.xml"), "<volume><name>copy</name><capacity>0</capacity><target/></volume>");
    await lab.virsh("vol-create-from", "d", lab.path("copy.xml"), "unit:0:1:1", "--inputpool", "p");
    run("cmp", [content, lab.path("d/copy")]);
    await lab.virsh("vol-wipe", "unit:0:1:1", "--pool", "p");
    await lab.virsh("vol-download", "unit:0:1:1", lab.path("back"), "--pool", "p");
    run("cmp", ["-n", String(32 * MiB), lab.path("back"), "/dev/zero"]);
    expect(await lab.refused("vol-create-as", "p", "x", "1M")).toContain("does not support volume creation");
    expect(await lab.refused("vol-delete", "unit:0:1:1", "--pool", "p")).toContain("does not support vol deletion");
  });

  it("has the kernel look for LUNs that came, at a start and at a refresh", async () => {
    await definePool(lab, "p", `<adapter type='scsi_host' name='${loop.host}'/>`);
    // LUN 0: beyond it, a host of tcm_loop finds nothing by itself.
    await removeDisk("sda");
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:1:0", "unit:0:1:1"]);
    await removeDisk("sda");
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:1:0", "unit:0:1:1"]);
  });

  it("takes a target of /dev as it is; one that is no place of devices is refused", async () => {
    await definePool(lab, "p", `<adapter type='scsi_host' name='${loop.host}'/>`, "/dev");
    await lab.virsh("pool-start", "p");
    expect(await lab.virsh("vol-dumpxml", "unit:0:1:0", "--pool", "p")).toContain("<path>/dev/sda</path>");
    await definePool(lab, "q", "<adapter type='scsi_host' name='host77'/>", "/tmp");
    const missing = await lab.refused("pool-start", "q");
    expect(missing).toContain("/sys/class/scsi_host/host77/scan");
    expect(missing).toContain("No such file or directory");
    await lab.virsh("pool-destroy", "p");
    await definePool(lab, "p", `<adapter type='scsi_host' name='${loop.host}'/>`, "/tmp");
    const refused = await lab.refused("pool-start", "p");
    expect(refused).toContain("invalid argument: unable to use target path '/tmp' for dev '/dev/sda'");
  });

  it("is active after a restart as long as its host is there", async () => {
    covers("scsi", "real", "pool.scan");
    await definePool(lab, "p", `<adapter type='scsi_host' name='${loop.host}'/>`);
    await definePool(lab, "q", "<adapter type='scsi_host' name='host77'/>");
    await lab.virsh("pool-start", "p");
    await lab.restart();
    expect(await lab.active()).toEqual(["p"]);
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toHaveLength(2);
  });

  it.each([
    ["<adapter type='scsi_host' name='bad'/>", "internal error: Invalid adapter name 'bad' for SCSI pool"],
    [
      "<adapter type='scsi_host'><parentaddr unique_id='7'><address domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/></parentaddr></adapter>",
      "XML error: Failed to find scsi_host using PCI '0000:00:1f.2' and unique_id='7'",
    ],
    [
      "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>",
      "XML error: 'parent' for vHBA not specified, and cannot find one on this host",
    ],
    [
      "<adapter type='fc_host' parent='scsi_host5' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>",
      "XML error: parent 'scsi_host5' specified for vHBA does not exist",
    ],
  ])("refuses to start %s", async (adapter, expected) => {
    await definePool(lab, "p", adapter);
    expect(await lab.refused("pool-start", "p")).toContain(expected);
    expect(await lab.active()).toEqual([]);
  });

  it("lists two LUNs that tell one serial, and keeps them apart", async () => {
    // Two targets of a host lead to one disk: the LUN's number is not in its page 0x83.
    const stores = [backingStore("c", 16 * MiB, "LAB000C")];
    const twice = loopHost("naa.5001405000000002", stores);
    for (const store of stores) twice.addLun(1, store);
    await definePool(lab, "p", `<adapter type='scsi_host' name='${twice.host}'/>`, "/dev");
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:1:0", "unit:0:1:1"]);
    const [first = "", second = ""] = disksOf(twice.host).map((name) => `/dev/${name}`);
    expect(serial(second)).toBe(serial(first));
    expect((await lab.virsh("vol-key", "unit:0:1:0", "--pool", "p")).trim()).toBe(serial(first));
    expect((await lab.virsh("vol-key", "unit:0:1:1", "--pool", "p")).trim()).toBe(second);
    // With names by id there is one link for both.
    await lab.virsh("pool-destroy", "p");
    await definePool(lab, "p", `<adapter type='scsi_host' name='${twice.host}'/>`);
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toHaveLength(1);
  });

  it("shows a CD, and leaves out the drive without one", async () => {
    loadModule("sr_mod");
    const before = scsiHosts();
    const drive = ["ptype=5", "removable=1", "add_host=1", "num_tgts=1", "max_luns=1", "dev_size_mb=8"];
    loadModule("scsi_debug", "delay=0", ...drive);
    settle();
    const host = scsiHosts().find((name) => !before.includes(name)) ?? "";
    await definePool(lab, "p", `<adapter type='scsi_host' name='${host}'/>`, "/dev");
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:0"]);
    run("sg_start", ["--eject", "/dev/sr0"]);
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toEqual([]);
  });
});

async function definePool(lab: LabDaemon, name: string, adapter: string, target = BY_ID): Promise<void> {
  const source = `<source>${adapter}</source>`;
  const document = `<pool type='scsi'><name>${name}</name>${source}<target><path>${target}</path></target></pool>`;
  await lab.define(name, document);
}

function serial(path: string): string {
  return run("/lib/udev/scsi_id", ["--replace-whitespace", "--whitelisted", "--device", path]).trim();
}
