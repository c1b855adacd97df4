import { describe, expect, it } from "vitest";
import {
  iscsiUnit,
  isRemoteVolume,
  type NetworkSource,
  networkSourceOf,
  remoteIdentity,
  remotePlace,
} from "../../dist/attachments/identity/remote.js";
import { pool, volume } from "../drivers/documents.js";

const source = (
  protocol: string,
  name: string,
  hosts: readonly string[] = [],
  more: Partial<NetworkSource> = {},
): NetworkSource => {
  return {
    type: "network",
    protocol,
    name,
    hosts: hosts.map((host) => ({ name: host, port: null, transport: null, socket: null })),
    authentication: null,
    initiatorIqn: null,
    snapshot: null,
    query: null,
    ...more,
  };
};

describe("names of other machines' images", () => {
  it.each([
    [source("rbd", "pool/image", ["one"], { snapshot: "s" }), "rbd:pool/image@s", "rbd:pool/image"],
    [source("gluster", "/gv0/a.img", ["one"]), "gluster://one/gv0/a.img", "gluster:gv0/a.img"],
    [source("iscsi", "iqn.2026:x", ["one"]), "iscsi://one/iqn.2026:x", "iscsi:iqn.2026:x/0"],
    [source("https", "a.iso", ["one"], { query: "v=1" }), "https://one/a.iso?v=1", "https://one/a.iso?v=1"],
    [source("nbd", "export", ["::1"]), "nbd://[::1]/export", "nbd://[::1]/export"],
  ])("are shown and compared: %#", (named, place, identity) => {
    expect([remotePlace(named), remoteIdentity(named)]).toEqual([place, identity]);
  });

  it.each([
    ["rbd:pool/image@s:id=admin:mon_host=one", "rbd:pool/image"],
    ["gluster+tcp://one:24007/gv0/a.img", "gluster:gv0/a.img"],
    ["iscsi://user%25secret@one:3260/iqn.2026:x/3", "iscsi:iqn.2026:x/3"],
    ["https://one/path/a.iso?v=1", "https://one/path/a.iso?v=1"],
  ])("in an image's header mean the same: %s", (name, identity) => {
    const named = networkSourceOf(name);
    expect(named === null ? null : remoteIdentity(named)).toBe(identity);
  });

  it("a name of nothing known is none", () => {
    expect(networkSourceOf('json:{"driver":"rbd"}')).toBeNull();
  });

  it("an iSCSI disk is a LUN of a target, the first where none is said", () => {
    expect(iscsiUnit(source("iscsi", "iqn.2026:x/7"))).toEqual({ target: "iqn.2026:x", lun: 7 });
    expect(iscsiUnit(source("iscsi", "iqn.2026:x"))).toEqual({ target: "iqn.2026:x", lun: 0 });
    expect(iscsiUnit(source("nbd", "export"))).toBeNull();
  });
});

describe("volumes of pools on other machines", () => {
  const remotePool = (
    type: "rbd" | "gluster",
    name: string,
    hosts: readonly string[],
    directory: string | null = null,
  ) => {
    const plain = pool("dir", "/unused", { name: "remote", uuid: crypto.randomUUID() });
    const named = { ...plain.source, name, directory, hosts: hosts.map((host) => ({ name: host, port: 0 })) };
    return { ...plain, type, source: named };
  };
  const image = volume("image");

  it("an rbd image is the volume of that pool and name, unless both name hosts and have none in common", () => {
    const of = (hosts: readonly string[]) => remotePool("rbd", "pool", hosts);
    const used = (hosts: readonly string[], name = "pool/image") => source("rbd", name, hosts);
    expect(isRemoteVolume(of(["one", "two"]), image, used(["two"]))).toBe(true);
    expect(isRemoteVolume(of(["one"]), image, used([]))).toBe(true);
    expect(isRemoteVolume(of([]), image, used(["one"]))).toBe(true);
    expect(isRemoteVolume(of(["one"]), image, used(["other"]))).toBe(false);
    expect(isRemoteVolume(of(["one"]), image, used(["one"], "pool/other"))).toBe(false);
  });

  it("a Gluster volume's file is found below the pool's directory", () => {
    const of = remotePool("gluster", "gv0", ["one"], "/images");
    expect(isRemoteVolume(of, image, source("gluster", "gv0/images/image", ["one"]))).toBe(true);
    expect(isRemoteVolume(of, image, source("gluster", "gv0/image", ["one"]))).toBe(false);
    expect(isRemoteVolume(of, image, source("rbd", "gv0/images/image", ["one"]))).toBe(false);
  });
});
