import { POOL_TYPES, type PoolType, readPool } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { filterPools } from "../../dist/pools/listing.js";
import { Pool } from "../../dist/pools/pool.js";

/** libvirt's VIR_CONNECT_LIST_STORAGE_POOLS_…, written down a second time, by name. */
const FLAGS: Readonly<Record<PoolType, number>> = {
  dir: 1 << 6,
  fs: 1 << 7,
  netfs: 1 << 8,
  logical: 1 << 9,
  disk: 1 << 10,
  iscsi: 1 << 11,
  scsi: 1 << 12,
  mpath: 1 << 13,
  rbd: 1 << 14,
  sheepdog: 1 << 15,
  gluster: 1 << 16,
  zfs: 1 << 17,
  vstorage: 1 << 18,
  "iscsi-direct": 1 << 19,
};
const template = readPool("<pool type='dir'><name>p</name><target><path>/p</path></target></pool>");
const pools = POOL_TYPES.map((type) => new Pool({ ...template, type, name: type }));
const [first, second, third] = pools;
if (first === undefined || second === undefined || third === undefined) throw new Error("there are pools");
Object.assign(first, { active: true, persistent: true, autostart: true });
Object.assign(second, { active: true, persistent: false });
Object.assign(third, { active: false, persistent: true });
const three = [first, second, third];
const named = (flags: number): string[] => filterPools(three, flags).map(({ name }) => name);

describe("filters of pool lists", () => {
  it.each(POOL_TYPES.map((type) => [type] as const))("the bit of %s finds it alone", (type) => {
    expect(filterPools(pools, FLAGS[type]).map(({ name }) => name)).toEqual([type]);
  });

  it.each([
    ["no filter", 0, [first.name, second.name, third.name]],
    ["active", 2, [first.name, second.name]],
    ["inactive", 1, [third.name]],
    ["both of one group", 3, [first.name, second.name, third.name]],
    ["active and transient", 2 | 8, [second.name]],
    ["autostarted", 0x10, [first.name]],
    ["not autostarted and persistent", 0x20 | 4, [third.name]],
    ["inactive and transient: none", 1 | 8, []],
  ])("%s", (_what, flags, expected) => {
    expect(named(flags)).toEqual(expected);
  });

  it("refuses bits that nobody knows", () => {
    expect(() => named(0x2000000)).toThrow(
      "unsupported flags (0x2000000) in function storageConnectListAllStoragePools",
    );
  });
});
