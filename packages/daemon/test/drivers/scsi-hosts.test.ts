import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { PoolAdapter } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fibreChannelHost, parentOf } from "../../dist/drivers/scsi/fibre-channel.js";
import { hostNumberOf } from "../../dist/drivers/scsi/host-number.js";
import { Sysfs } from "../../dist/drivers/scsi/sysfs.js";
import { createVirtualHost, deleteVirtualHost } from "../../dist/drivers/scsi/virtual-host.js";
import { errorOf, Laboratory } from "./laboratory.js";
import { layTree } from "./sysfs-tree.js";

type FibreChannel = Extract<PoolAdapter, { type: "fc_host" }>;

const WANTED = { wwnn: "20000000c9831b4b", wwpn: "10000000c9831b4b" };
const HOST7 = { wwnn: "100002000000000b", wwpn: "200002000000000b" };
const HOST8 = { wwnn: "100002000000000a", wwpn: "200002000000000a" };

let laboratory: Laboratory;
let sysfs: Sysfs;

beforeEach(() => {
  laboratory = new Laboratory();
  sysfs = new Sysfs(laboratory.host, laboratory.root);
});
afterEach(() => laboratory.close());

describe("which SCSI host an adapter means", () => {
  beforeEach(() => layTree("fibre-channel-virtual", laboratory.root));

  test.each([
    ["host3", 3],
    ["scsi_host3", 3],
    ["fc_host12", 12],
  ])("%s, whether it is there or not", async (name, number) => {
    expect(await hostNumberOf({ type: "scsi_host", name, parentAddress: null }, sysfs)).toBe(number);
  });

  test.each([
    ["", ""],
    ["3", "3"],
    ["host", ""],
    ["hostx", "x"],
    ["host3x", "3x"],
    ["host-1", "-1"],
    ["scsi_scsi_host3", "scsi_host3"],
    ["host99999999999999999999", "99999999999999999999"],
  ])("%j is no name of a host", async (name, shown) => {
    const error = hostNumberOf({ type: "scsi_host", name, parentAddress: null }, sysfs).then(String, String);
    expect(await error).toBe(`LibvirtError: internal error: Invalid adapter name '${shown}' for SCSI pool`);
  });

  test.each([
    [0x1f, 2, 1, 0],
    [0x1f, 2, 4, 3],
    [6, 0, 0, 6],
  ])("by address: slot %d, function %d, unique id %d", async (slot, pciFunction, uniqueId, number) => {
    const parentAddress = { domain: 0, bus: 0, slot, function: pciFunction, uniqueId };
    expect(await hostNumberOf({ type: "scsi_host", name: null, parentAddress }, sysfs)).toBe(number);
  });

  test("an address or a unique id that no host has", async () => {
    const parentAddress = { domain: 0, bus: 0, slot: 0x1f, function: 2, uniqueId: 9 };
    const number = hostNumberOf({ type: "scsi_host", name: null, parentAddress }, sysfs);
    const text = "XML error: Failed to find scsi_host using PCI '0000:00:1f.2' and unique_id='9'";
    expect(await errorOf(number)).toBe(`27/0 ${text}`);
  });

  test("by world wide names, of a real and of a virtual host", async () => {
    expect(await hostNumberOf(adapter(HOST8), sysfs)).toBe(8);
    expect(await hostNumberOf(adapter(WANTED), sysfs)).toBe(9);
    expect(await hostNumberOf(adapter({ wwnn: `0x${WANTED.wwnn.toUpperCase()}`, wwpn: WANTED.wwpn }), sysfs)).toBe(9);
    const text = `XML error: Failed to find SCSI host with wwnn='${HOST7.wwnn}', wwpn='${HOST8.wwpn}'`;
    expect(await errorOf(hostNumberOf(adapter({ ...HOST8, wwnn: HOST7.wwnn }), sysfs))).toBe(`27/18 ${text}`);
  });

  test("a virtual host has a parent, a real one has none", async () => {
    expect(await parentOf(sysfs, 9)).toBe(8);
    expect(await parentOf(sysfs, 8)).toBeNull();
  });
});

describe("where a virtual host is made", () => {
  beforeEach(() => layTree("fibre-channel", laboratory.root));

  // The recorded tree grows no host, so that each ends in not finding it; what was written shows which parent was taken.
  test.each([
    ["the parent by name", { parent: "scsi_host8" }, 8],
    ["the parent by its own names", { parentWwnn: HOST8.wwnn, parentWwpn: HOST8.wwpn }, 8],
    ["the parent by its fabric", { parentFabricWwn: "0000000000000000" }, 7],
    ["the first that is online and has room", {}, 7],
  ])("%s", async (_, more, parent) => {
    const error = await errorOf(create(adapter(WANTED, more)));
    expect(error).toBe(
      `1/22 internal error: Failed to find fc_host for wwnn='${WANTED.wwnn}' and wwpn='${WANTED.wwpn}'`,
    );
    for (const number of [7, 8]) {
      const expected = number === parent ? `${WANTED.wwpn}:${WANTED.wwnn}` : "";
      expect(attribute(number, "vport_create")).toBe(expected);
      expect(attribute(number, "vport_delete")).toBe(expected);
    }
  });

  test.each([
    ["port_state", "Linkdown\n"],
    ["max_npiv_vports", "0\n"],
    ["npiv_vports_inuse", "65535\n"],
  ])("not on a host whose %s is against it", async (name, value) => {
    writeFileSync(laboratory.path("class/fc_host/host7", name), value);
    await errorOf(create(adapter(WANTED)));
    expect(attribute(7, "vport_create")).toBe("");
    expect(attribute(8, "vport_create")).toBe(`${WANTED.wwpn}:${WANTED.wwnn}`);
  });

  test.each([
    [{ parent: "scsi_host5" }, "27/22 XML error: parent 'scsi_host5' specified for vHBA does not exist"],
    [
      { parentWwnn: HOST8.wwnn, parentWwpn: HOST7.wwpn },
      "27/22 XML error: cannot find parent using provided wwnn/wwpn",
    ],
    [{ parentFabricWwn: "2001000000000001" }, "27/22 XML error: cannot find parent using provided fabric_wwn"],
  ])("%j is refused", async (more, expected) => {
    expect(await errorOf(create(adapter(WANTED, more)))).toBe(expected);
  });

  test("none where no host takes one", async () => {
    for (const number of [7, 8]) {
      for (const name of ["vport_create", "vport_delete"]) rmSync(laboratory.path(`class/fc_host/host${number}`, name));
    }
    const none = "27/22 XML error: 'parent' for vHBA not specified, and cannot find one on this host";
    expect(await errorOf(create(adapter(WANTED)))).toBe(none);
    const unsupported = "vport operation 'vport_create' is not supported for host8";
    expect(await errorOf(create(adapter(WANTED, { parent: "host8" })))).toBe(
      `55/0 Requested operation is not valid: ${unsupported}`,
    );
  });

  test("a real host's names need none, but then there is no parent", async () => {
    expect(await create(adapter(HOST8))).toBe(false);
    expect(await errorOf(create(adapter(HOST8, { parent: "scsi_host7" })))).toBe(
      "27/18 XML error: the wwnn/wwpn for 'host8' are assigned to an HBA",
    );
    expect(await errorOf(deleteVirtualHost(adapter(HOST8), sysfs))).toBe(
      "27/18 XML error: the wwnn/wwpn for 'host8' are assigned to an HBA",
    );
  });
});

describe("a virtual host that is there", () => {
  beforeEach(() => layTree("fibre-channel-virtual", laboratory.root));

  test("is taken as it is, when its parent is the one that is named", async () => {
    expect(await create(adapter(WANTED))).toBe(false);
    expect(await create(adapter(WANTED, { parent: "scsi_host8" }))).toBe(false);
    expect(attribute(8, "vport_create")).toBe("");
  });

  test.each([
    [
      "scsi_host7",
      "Parent attribute 'scsi_host7' does not match parent 'scsi_host8' determined for the 'host9' wwnn/wwpn lookup.",
    ],
    ["scsi_host3", "parent 'scsi_host3' is not an fc_host for the wwnn/wwpn"],
    ["x", "parent 'x' is not properly formatted"],
  ])("with the parent %s is refused", async (parent, expected) => {
    expect(await errorOf(create(adapter(WANTED, { parent })))).toBe(`27/18 XML error: ${expected}`);
  });

  test("is deleted by its parent", async () => {
    await deleteVirtualHost(adapter(WANTED), sysfs);
    expect(attribute(8, "vport_delete")).toBe(`${WANTED.wwpn}:${WANTED.wwnn}`);
    const unknown = adapter({ wwnn: HOST7.wwnn, wwpn: HOST8.wwpn });
    expect(await errorOf(deleteVirtualHost(unknown, sysfs))).toContain("1/22 internal error: Failed to find fc_host");
    expect(await fibreChannelHost(sysfs, unknown)).toBeNull();
  });
});

function adapter(
  names: { readonly wwnn: string; readonly wwpn: string },
  more: Partial<FibreChannel> = {},
): FibreChannel {
  const parents = { parent: null, parentWwnn: null, parentWwpn: null, parentFabricWwn: null };
  return { type: "fc_host", ...parents, managed: null, ...names, ...more };
}

function create(wanted: FibreChannel): Promise<boolean> {
  return createVirtualHost(wanted, sysfs, laboratory.host, new AbortController().signal);
}

function attribute(host: number, name: string): string {
  return readFileSync(laboratory.path(`class/fc_host/host${host}`, name), "utf8");
}
