import { describe, expect, it } from "vitest";
import { writeConnectCapabilities, writePoolCapabilities } from "../dist/capabilities.js";
import { POOL_TYPES, type PoolType } from "../dist/pool.js";
import { isSharedPresent, readRecordings } from "./shared-material.js";

/** The backends of the libvirtd that was recorded. */
const RECORDED: ReadonlySet<PoolType> = new Set(
  POOL_TYPES.filter((type) => !["sheepdog", "zfs", "vstorage"].includes(type)),
);

interface Packet {
  readonly direction: string;
  readonly hex: string | null;
}

/** The document in a reply: a string after the packet's header, with its length and padding. */
function recordedDocument(root: string): string | undefined {
  const bodies = readRecordings<{ vectors: Packet[] }>("wire/vectors")
    .flatMap(([, { vectors }]) => vectors)
    .filter(({ direction, hex }) => direction === "server->client" && hex !== null)
    .map(({ hex }) => Buffer.from(hex ?? "", "hex").subarray(28));
  const body = bodies.find((bytes) => bytes.indexOf(`<${root}>`) === 4);
  return body?.subarray(4, 4 + body.readUInt32BE(0)).toString();
}

describe("pool capabilities", () => {
  it.skipIf(!isSharedPresent)("are what libvirtd sent (skipped where ../shared is absent)", () => {
    expect(writePoolCapabilities(RECORDED)).toBe(recordedDocument("storagepoolCapabilities"));
  });
  it("name every type, supported or not", () => {
    const types = (xml: string, supported: string) =>
      [...xml.matchAll(/<pool type='(.*)' supported='(.*)'>/g)].filter((m) => m[2] === supported).map((m) => m[1]);
    expect(types(writePoolCapabilities(new Set()), "no")).toEqual([...POOL_TYPES]);
    expect(types(writePoolCapabilities(new Set(["dir", "zfs"])), "yes")).toEqual(["dir", "zfs"]);
  });
});

describe("a storage connection's capabilities", () => {
  it("list the backends in the order in which libvirt registers them", () => {
    // Recorded from libvirtd 9.0.0 with Debian's storage drivers.
    expect(writeConnectCapabilities(new Set([...RECORDED, "zfs"]))).toBe(`<capabilities>

  <pool>
    <enum name='type'>
      <value>dir</value>
      <value>fs</value>
      <value>netfs</value>
      <value>logical</value>
      <value>iscsi</value>
      <value>iscsi-direct</value>
      <value>scsi</value>
      <value>mpath</value>
      <value>disk</value>
      <value>rbd</value>
      <value>gluster</value>
      <value>zfs</value>
    </enum>
  </pool>

</capabilities>
`);
  });
});
