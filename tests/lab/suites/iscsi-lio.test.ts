import { beforeAll, describe, expect, it } from "vitest";
import { discover, login, logout, startInitiator } from "../guest/iscsi.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { lioTarget } from "../guest/lio-iscsi.js";
import { countPaths, flushMaps, multipathMaps, startMultipath, waitForMaps } from "../guest/multipath.js";
import { run, waitFor } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const TARGET = "iqn.2003-01.org.example.lab:two-ways";
const PORTALS = ["127.0.0.1", "127.0.0.2"];

describe("iSCSI from the kernel's target in a guest, over two paths", () => {
  beforeAll(() => {
    startUdev({ multipath: true });
    prepareTarget();
    const stores = [backingStore("first", 64 * MiB, "LAB0001"), backingStore("second", 32 * MiB, "LAB0002")];
    lioTarget(
      TARGET,
      PORTALS.map((address) => `${address}:3260`),
      stores,
    );
    startMultipath();
    startInitiator();
  });

  it("makes one map with two paths of each disk", async () => {
    expect(discover()).toEqual([TARGET, TARGET]);
    for (const portal of PORTALS) expect(login(TARGET, portal)).toBe(0);
    expect(await waitForMaps(2)).toEqual(["mpatha", "mpathb"]);
    await waitFor("the second path", () => countPaths("mpatha") === 2 && countPaths("mpathb") === 2);
    const sizes = multipathMaps().map((map) => Number(run("blockdev", ["--getsize64", `/dev/mapper/${map}`])));
    expect(sizes.sort((a, b) => a - b)).toEqual([32 * MiB, 64 * MiB]);
  });

  it("still reads when a path is gone", async () => {
    logout(TARGET, "127.0.0.2");
    await waitFor("the loss of a path", () => countPaths("mpatha") === 1);
    run("dd", ["if=/dev/mapper/mpatha", "of=/dev/null", "bs=1M", "count=4", "iflag=direct"]);
    await flushMaps();
    expect(multipathMaps()).toEqual([]);
    logout(TARGET, "127.0.0.1");
  });
});
