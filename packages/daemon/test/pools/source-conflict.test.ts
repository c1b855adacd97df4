import { type PoolDocument, readPool } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { sourcesConflict } from "../../dist/pools/source-conflict.js";

const pool = (type: string, source: string, target = "/t"): PoolDocument =>
  readPool(
    `<pool type='${type}'><name>p</name><source>${source}</source><target><path>${target}</path></target></pool>`,
  );
const host = (name: string, port = ""): string => `<host name='${name}'${port && ` port='${port}'`}/>`;
const device = (path: string): string => `<device path='${path}'/>`;

const scsi = (adapter: string): PoolDocument => pool("scsi", adapter, "/dev/disk/by-path");
const iscsi = (iqn: string, initiator = ""): PoolDocument =>
  pool("iscsi", host("h") + device(iqn) + (initiator && `<initiator><iqn name='${initiator}'/></initiator>`), "/dev");
const netfs = (name: string, directory: string, port = ""): PoolDocument =>
  pool("netfs", `${host(name, port)}<dir path='${directory}'/>`);

const rows: readonly [what: string, wanted: PoolDocument, other: PoolDocument, conflict: boolean][] = [
  ["dir: the same target", pool("dir", "", "/a"), pool("dir", "", "/a/"), true],
  ["dir: another target", pool("dir", "", "/a"), pool("dir", "", "/b"), false],
  ["dir and fs with the same target", pool("dir", "", "/a"), pool("fs", device("/dev/sda1"), "/a"), false],
  ["fs and logical on one device", pool("fs", device("/dev/sda")), pool("logical", device("/dev/sda")), true],
  ["disk and zfs on one device", pool("disk", device("/dev/sda"), "/dev"), pool("zfs", device("/dev/sda")), true],
  ["fs on different devices", pool("fs", device("/dev/sda")), pool("fs", device("/dev/sdb")), false],
  ["netfs: same host and directory", netfs("h", "/e"), netfs("h", "/e"), true],
  ["netfs: another host", netfs("h", "/e"), netfs("g", "/e"), false],
  ["netfs: another directory", netfs("h", "/e"), netfs("h", "/f"), false],
  ["netfs: only the new one says a port", netfs("h", "/e", "1"), netfs("h", "/e"), false],
  ["netfs: only the old one says a port", netfs("h", "/e"), netfs("h", "/e", "1"), true],
  ["iscsi: same target, no initiator", iscsi("iqn.a"), iscsi("iqn.a"), true],
  ["iscsi: same target, other initiator", iscsi("iqn.a", "iqn.i"), iscsi("iqn.a", "iqn.j"), false],
  ["iscsi: same target, one initiator", iscsi("iqn.a", "iqn.i"), iscsi("iqn.a"), false],
  [
    "scsi: one host in two spellings",
    scsi("<adapter type='scsi_host' name='scsi_host2'/>"),
    scsi("<adapter name='host2'/>"),
    true,
  ],
  ["scsi: different hosts", scsi("<adapter name='host1'/>"), scsi("<adapter name='host2'/>"), false],
  [
    "scsi: one virtual adapter",
    scsi("<adapter type='fc_host' wwnn='2000000000000001' wwpn='1000000000000001'/>"),
    scsi("<adapter type='fc_host' parent='scsi_host3' wwnn='2000000000000001' wwpn='1000000000000001'/>"),
    true,
  ],
  ["mpath: any two", pool("mpath", ""), pool("mpath", ""), true],
  [
    "gluster: one volume",
    pool("gluster", `${host("h")}<name>v</name>`),
    pool("gluster", `${host("h")}<name>v</name>`),
    true,
  ],
  ["rbd: never", pool("rbd", `${host("h")}<name>v</name>`), pool("rbd", `${host("h")}<name>v</name>`), false],
];

describe("two pools claim the same storage", () => {
  it.each(rows)("%s", (_what, wanted, other, conflict) => {
    expect(sourcesConflict(wanted, other)).toBe(conflict);
  });
});
