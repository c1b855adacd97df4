import { beforeAll, describe, expect, it } from "vitest";
import { createVport, deleteVport, type FcFabric, fcAttribute, fcHosts, startFc } from "../guest/fc.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { run } from "../guest/run.js";
import { disksOf } from "../guest/scsi.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const VPORT = { wwpn: "2101001b32a90002", wwnn: "2001001b32a90002" };

describe("Fibre Channel in a guest", () => {
  let fabric: FcFabric;

  beforeAll(async () => {
    startUdev();
    prepareTarget();
    fabric = await startFc([backingStore("fc", 32 * MiB, "LAB00FC")]);
  });

  it("has a host that is online, with a disk behind it", () => {
    expect(fcAttribute(fabric.host, "port_state")).toBe("Online");
    expect(fabric.wwpn).toBe("0x200002000000000a");
    const [disk] = disksOf(fabric.host);
    expect(run("blockdev", ["--getsize64", `/dev/${disk}`]).trim()).toBe(String(32 * MiB));
  });

  it("makes and deletes a virtual host", async () => {
    const before = fcHosts();
    const virtual = await createVport(fabric.host, VPORT.wwpn, VPORT.wwnn);
    expect(fcAttribute(virtual, "port_name")).toBe(`0x${VPORT.wwpn}`);
    await deleteVport(fabric.host, VPORT.wwpn, VPORT.wwnn);
    expect(fcHosts()).toEqual(before);
  });
});
