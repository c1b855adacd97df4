import { existsSync, readlinkSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { covers } from "../../support/covers.js";
import { LabDaemon } from "../guest/daemon.js";
import { createVport, type FcFabric, fcAttribute, fcHosts, startFc } from "../guest/fc.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { loadModules } from "../guest/modules.js";
import { run, waitFor } from "../guest/run.js";
import { scsiHosts } from "../guest/scsi.js";
import { startUdev } from "../guest/udev.js";

// On the emulated processor programs start slowly.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 400_000 });

const MiB = 1024 * 1024;
const BY_ID = "/dev/disk/by-id";
const VIRTUAL = { wwnn: "20000000c9831b4b", wwpn: "10000000c9831b4b" };

describe("scsi pools of Fibre Channel hosts", () => {
  let lab: LabDaemon;
  let fabric: FcFabric;

  beforeAll(async () => {
    startUdev();
    prepareTarget("tcm_fc");
    fabric = await startFc([backingStore("f1", 32 * MiB, "FC0001"), backingStore("f2", 16 * MiB, "FC0002")]);
    lab = await LabDaemon.start();
  });
  afterEach(() => lab?.clear());
  afterAll(() => lab?.daemon.stop());

  const names = (host: string) => ({
    wwnn: fcAttribute(host, "node_name").slice(2),
    wwpn: fcAttribute(host, "port_name").slice(2),
  });

  it("shows the LUNs of a real host, which a stop leaves alone", async () => {
    await definePool(lab, "p", names(fabric.host));
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual(["unit:0:0:0", "unit:0:0:1"]);
    const pool = await lab.virsh("pool-dumpxml", "p");
    expect(pool).toContain(`<capacity unit='bytes'>${48 * MiB}</capacity>`);
    expect(pool).not.toContain("managed");
    const volume = await lab.virsh("vol-dumpxml", "unit:0:0:0", "--pool", "p");
    expect(volume).toMatch(new RegExp(`<path>${BY_ID}/.*</path>`));
    // The port belongs to the key: a LUN may be seen through several.
    expect(volume).toMatch(/<key>36001405fc0001.*_PORT0<\/key>/);
    const content = lab.path("content");
    run("dd", ["if=/dev/urandom", `of=${content}`, "bs=1M", "count=16", "status=none"]);
    await lab.virsh("vol-upload", "unit:0:0:1", content, "--pool", "p");
    await lab.virsh("vol-download", "unit:0:0:1", lab.path("back"), "--pool", "p");
    run("cmp", [content, lab.path("back")]);
    await lab.virsh("pool-destroy", "p");
    expect(fcHosts()).toEqual([fabric.host, fabric.targetHost].sort());
  });

  it.each([
    ["by name", () => `parent='scsi_${fabric.host}'`, () => fabric.host],
    [
      "by its names",
      () => `parent_wwnn='${names(fabric.host).wwnn}' parent_wwpn='${names(fabric.host).wwpn}'`,
      () => fabric.host,
    ],
    ["by its fabric", () => "parent_fabric_wwn='0000000000000000'", () => first()],
    ["that has room", () => "", () => first()],
    ["by name, managed", () => `parent='${fabric.host}' managed='yes'`, () => fabric.host],
  ])("makes a virtual host on the parent %s, and deletes it with the stop", async (_, attributes, parent) => {
    await definePool(lab, "p", VIRTUAL, attributes());
    await lab.virsh("pool-start", "p");
    const made = virtualHost();
    expect(run("readlink", ["-f", `/sys/class/fc_host/${made}`])).toContain(`/${parent()}/vport-`);
    expect(await lab.virsh("pool-dumpxml", "p")).toContain("managed='yes'");
    expect(await lab.virsh("pool-dumpxml", "p", "--inactive")).toContain(
      attributes().includes("managed") ? "managed" : "",
    );
    expect(await lab.volumes("p")).toEqual([]);
    await lab.virsh("pool-destroy", "p");
    expect(virtualHost()).toBe("none");
  });

  it("knows after a restart that the virtual host is its own", async () => {
    covers("scsi", "real", "pool.start", "pool.scan", "pool.stop");
    await definePool(lab, "p", VIRTUAL, `parent='${fabric.host}'`);
    await lab.virsh("pool-start", "p");
    await lab.restart();
    expect(await lab.active()).toEqual(["p"]);
    await lab.virsh("pool-destroy", "p");
    expect(virtualHost()).toBe("none");
  });

  it("leaves a virtual host that somebody else made, unless it is to manage it", async () => {
    await createVport(fabric.host, VIRTUAL.wwpn, VIRTUAL.wwnn);
    await definePool(lab, "p", VIRTUAL);
    await lab.virsh("pool-start", "p");
    await lab.virsh("pool-destroy", "p");
    expect(virtualHost()).not.toBe("none");
    await definePool(lab, "p", VIRTUAL, `parent='${fabric.targetHost}'`);
    expect(await lab.refused("pool-start", "p")).toContain("does not match parent");
    await definePool(lab, "p", VIRTUAL, "managed='yes'");
    await lab.virsh("pool-start", "p");
    await lab.virsh("pool-destroy", "p");
    expect(virtualHost()).toBe("none");
  });

  it("refuses a parent for a real host, and a parent that is none", async () => {
    await definePool(lab, "p", names(fabric.host), `parent='${fabric.targetHost}'`);
    expect(await lab.refused("pool-start", "p")).toContain("are assigned to an HBA");
    await definePool(lab, "p", VIRTUAL, "parent='host99'");
    expect(await lab.refused("pool-start", "p")).toContain("specified for vHBA does not exist");
  });

  it("finds hosts by their PCI address too", async () => {
    loadModules("ahci");
    // ../../devices/pci0000:00/0000:00:1f.2/ata1/host2/scsi_host/host2
    const links = () => scsiHosts().map((host) => readlinkSync(`/sys/class/scsi_host/${host}`));
    const link = await waitFor("the appearance of a SATA host", () => links().find((text) => text.includes("/ata1/")));
    const [, bus, slot, pciFunction] = /\/0000:(..):(..)\.(.)\/ata1\//.exec(link) ?? [];
    const address = `<address domain='0x0000' bus='0x${bus}' slot='0x${slot}' function='0x${pciFunction}'/>`;
    const adapter = `<adapter type='scsi_host'><parentaddr unique_id='1'>${address}</parentaddr></adapter>`;
    await lab.define("p", document("p", adapter));
    await lab.virsh("pool-start", "p");
    expect(await lab.volumes("p")).toEqual([]);
    expect(await lab.virsh("pool-dumpxml", "p")).toContain(`slot='0x${slot}'`);
  });

  function first(): string {
    return [fabric.host, fabric.targetHost].sort()[0] ?? "";
  }

  /** The one that is neither of the two; "none". */
  function virtualHost(): string {
    return fcHosts().find((host) => host !== fabric.host && host !== fabric.targetHost) ?? "none";
  }
});

function document(name: string, adapter: string): string {
  const target = `<target><path>${existsSync(BY_ID) ? BY_ID : "/dev/disk/by-path"}</path></target>`;
  return `<pool type='scsi'><name>${name}</name><source>${adapter}</source>${target}</pool>`;
}

async function definePool(
  lab: LabDaemon,
  name: string,
  { wwnn, wwpn }: { readonly wwnn: string; readonly wwpn: string },
  attributes = "",
): Promise<void> {
  const adapter = `<adapter type='fc_host' ${attributes} wwnn='${wwnn}' wwpn='${wwpn}'/>`;
  await lab.define(name, document(name, adapter));
}
