import { renameSync } from "node:fs";
import { basename } from "node:path";
import { readPool } from "@cistern/documents";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mpathDriver } from "../../../packages/daemon/dist/drivers/mpath.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import { covers } from "../../support/covers.js";
import { LabDaemon } from "../guest/daemon.js";
import { discover, login, logout, startInitiator } from "../guest/iscsi.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { lioTarget } from "../guest/lio-iscsi.js";
import { countPaths, startMultipath, waitForMaps } from "../guest/multipath.js";
import { run, waitFor } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const IQN = "iqn.2003-01.org.example.lab:lio";
const PORTALS = ["127.0.0.1", "127.0.0.2"];

describe("mpath pools", () => {
  let lab: LabDaemon;

  beforeAll(async () => {
    startUdev({ multipath: true });
    startMultipath();
    lab = await LabDaemon.start();
    await lab.define("p", "<pool type='mpath'><name>p</name><target><path>/dev/mapper</path></target></pool>");
  });
  afterAll(() => lab?.daemon.stop());

  it("is empty before there are maps", async () => {
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual([]);
    expect(await lab.virsh("pool-dumpxml", "p")).toContain("<capacity unit='bytes'>0</capacity>");
  });

  it("shows disks that have two paths, once each, and no other maps", async () => {
    covers("mpath", "real", "pool.scan");
    prepareTarget();
    const stores = [backingStore("lun1", 64 * MiB, "0001"), backingStore("lun2", 32 * MiB, "0002")];
    lioTarget(
      IQN,
      PORTALS.map((address) => `${address}:3260`),
      stores,
    );
    startInitiator();
    discover();
    for (const portal of PORTALS) expect(login(IQN, portal)).toBe(0);
    const maps = await waitForMaps(2);
    for (const map of maps) await waitFor(`the second path of ${map}`, () => countPaths(map) === 2);
    run("dmsetup", ["create", "plain", "--table", "0 2048 zero"]);
    await lab.virsh("pool-refresh", "p");
    const list = await lab.virsh("vol-list", "p");
    expect(list).toMatch(/dm-\d+\s+\/dev\/mapper\/mpatha/);
    expect(list).toMatch(/dm-\d+\s+\/dev\/mapper\/mpathb/);
    expect(list).not.toContain("plain");
    expect(await lab.virsh("pool-dumpxml", "p")).toContain(`<capacity unit='bytes'>${96 * MiB}</capacity>`);
    const [name = ""] = await lab.volumes("p");
    const volume = await lab.virsh("vol-dumpxml", name, "--pool", "p");
    expect(volume).toContain("<volume type='block'>");
    expect(volume).toContain("<key>/dev/mapper/mpatha</key>");
    expect(volume).toContain("<path>/dev/mapper/mpatha</path>");
  });

  it("uploads, downloads and wipes, also when one of the paths is gone", async () => {
    covers("mpath", "real", "volume.upload", "volume.download", "volume.wipe");
    const [name = ""] = await lab.volumes("p");
    const sizeBytes = Number(run("blockdev", ["--getsize64", "/dev/mapper/mpatha"]));
    const content = lab.path("content");
    run("dd", ["if=/dev/urandom", `of=${content}`, "bs=1M", `count=${sizeBytes / MiB}`, "status=none"]);
    await lab.virsh("vol-upload", name, content, "--pool", "p");
    logout(IQN, "127.0.0.2");
    await waitFor("the loss of a path", () => countPaths("mpatha") === 1);
    await lab.virsh("pool-refresh", "p");
    await lab.virsh("vol-download", name, lab.path("back"), "--pool", "p");
    run("cmp", [content, lab.path("back")]);
    await lab.virsh("vol-wipe", name, "--pool", "p");
    await lab.virsh("vol-download", name, lab.path("back"), "--pool", "p");
    run("cmp", ["-n", String(sizeBytes), lab.path("back"), "/dev/zero"]);
    expect(await lab.refused("vol-create-as", "p", "x", "1M")).toContain("does not support volume creation");
    expect(await lab.refused("vol-delete", name, "--pool", "p")).toContain("does not support vol deletion");
  });

  complies("mpath", {
    driver: mpathDriver,
    pool: async () => readPool("<pool type='mpath'><name>c</name><target><path>/dev/mapper</path></target></pool>"),
    found: () => ["mpatha", "mpathb"].map((map) => basename(run("readlink", ["-f", `/dev/mapper/${map}`]).trim())),
    isAlwaysThere: true,
  });

  it("is active after a restart, and stops without touching the maps", async () => {
    await lab.restart();
    expect(await lab.active()).toEqual(["p"]);
    await lab.virsh("pool-refresh", "p");
    expect(await lab.volumes("p")).toHaveLength(2);
    await lab.virsh("pool-destroy", "p");
    expect(await waitForMaps(2)).toEqual(["mpatha", "mpathb"]);
  });

  it("says that dmsetup is missing", async () => {
    const program = run("which", ["dmsetup"]).trim();
    renameSync(program, `${program}.gone`);
    try {
      expect(await lab.refused("pool-start", "p")).toContain("Cannot find 'dmsetup'");
    } finally {
      renameSync(`${program}.gone`, program);
    }
  });
});
