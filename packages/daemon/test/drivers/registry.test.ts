import { POOL_TYPES } from "@cistern/documents";
import { describe, expect, test } from "vitest";
import { driverOf, findSources, hasDriver, type Operation, unsupported } from "../../dist/drivers/index.js";
import { testHosts } from "../host/support.ts";
import { errorOf } from "./laboratory.js";

const hosts = testHosts();

describe("types whose driver has not landed", () => {
  const absent = POOL_TYPES.filter((type) => !hasDriver(type));
  test.each(absent.map((type) => [type, POOL_TYPES.indexOf(type)] as const))("%s", (type, number) => {
    expect(() => driverOf(type)).toThrow(
      expect.objectContaining({
        code: 1,
        domain: 18,
        message: `internal error: missing backend for pool type ${number} (${type})`,
      }),
    );
  });

  test("libvirt's numbers of types", () => {
    expect(() => driverOf("sheepdog")).toThrow("pool type 10 (sheepdog)");
  });
});

test("every type with a driver has its own", () => {
  for (const type of POOL_TYPES.filter(hasDriver)) expect(driverOf(type).type).toBe(type);
  expect(hasDriver("dir")).toBe(true);
});

describe("what a technology cannot do", () => {
  const rows: [Operation, string][] = [
    ["pool.delete", "pool does not support pool deletion"],
    ["pool.discover", "pool type 'dir' does not support source discovery"],
    ["volume.create", "storage pool does not support volume creation"],
    ["volume.createFrom", "storage pool does not support volume creation from an existing volume"],
    ["volume.remove", "storage pool does not support vol deletion"],
    ["volume.resize", "storage pool does not support changing of volume capacity"],
    ["volume.wipe", "storage pool doesn't support volume wiping"],
    ["volume.download", "storage pool doesn't support volume download"],
    ["volume.upload", "storage pool doesn't support volume upload"],
  ];
  test.each(rows)("%s", (operation, text) => {
    expect(unsupported(operation, "dir")).toMatchObject({
      code: 3,
      domain: 18,
      message: `this function is not supported by the connection driver: ${text}`,
    });
  });
});

describe("find sources, as recorded", () => {
  const unsupportedType = (type: string) =>
    `3/18 this function is not supported by the connection driver: pool type '${type}' does not support source discovery`;
  const noHost = (sources: string) => `8/18 invalid argument: hostname must be specified for ${sources} sources`;
  const rows: [string, string | null, number, string][] = [
    ["foo", null, 0, "1/18 internal error: unknown storage pool type foo"],
    ...["dir", "fs", "disk", "rbd", "mpath", "scsi"].map((type): [string, null, number, string] => [
      type,
      null,
      0,
      unsupportedType(type),
    ]),
    ["netfs", null, 0, noHost("netfs")],
    ["iscsi", null, 0, noHost("iscsi")],
    ["iscsi-direct", null, 0, noHost("iscsi")],
    ["gluster", null, 0, noHost("gluster")],
    ["netfs", "<source/>", 0, "67/18 unsupported configuration: Expected exactly 1 host for the storage pool"],
    ["netfs", "<so", 0, "35/18 (storage_source_specification):1: Couldn't find end of Start Tag so line 1\n<so\n---^"],
    ["netfs", "<source><host name='-h'/></source>", 0, "8/18 invalid argument: '-h' is not the name of a host"],
    [
      "zfs",
      null,
      0,
      "3/18 this function is not supported by the connection driver: pool type 'zfs' does not support source discovery",
    ],
    ["iscsi", null, 2, "8/18 unsupported flags (0x2) in function virStorageBackendISCSIFindPoolSources"],
    ["iscsi-direct", "<source><host name='h'/></source>", 0, "67/18 unsupported configuration: missing initiator IQN"],
    ["logical", null, 1, "8/18 unsupported flags (0x1) in function virStorageBackendLogicalFindPoolSources"],
  ];
  test.each(rows)("%s (%s, flags %i)", async (type, specification, flags, expected) => {
    expect(
      await errorOf(
        findSources(type, specification, flags, { host: hosts.local, signal: new AbortController().signal }),
      ),
    ).toBe(expected);
  });
});
