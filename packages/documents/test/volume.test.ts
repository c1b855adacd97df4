import { describe, expect, it } from "vitest";
import type { PoolType } from "../dist/pool.js";
import { type ReadVolumeOptions, readVolume } from "../dist/volume-reader.js";
import { writeVolume } from "../dist/volume-writer.js";

const CREATE: ReadVolumeOptions = { capacity: "optional-with-backing" };
const UUID = "11111111-2222-3333-4444-555555555555";

const volume = (content: string) => `<volume><name>x</name><capacity>1</capacity>${content}</volume>`;
const target = (content: string) => volume(`<target>${content}</target>`);
const sized = (capacity: string) => `<volume><name>x</name>${capacity}</volume>`;
const encryption = (content: string, attributes = "format='luks'") =>
  target(`<encryption ${attributes}>${content}</encryption>`);
const SECRET = `<secret type='passphrase' uuid='${UUID}'/>`;

describe("what a volume document says", () => {
  const read = (xml: string, poolType: PoolType = "dir", options = CREATE) => readVolume(xml, poolType, options);

  it.each<[xml: string, bytes: bigint]>([
    ["<capacity>8192</capacity>", 8192n],
    ["<capacity> +10</capacity>", 10n],
    ["<capacity unit='MB'>1</capacity>", 1_000_000n],
    ["<capacity unit='MiB'>1</capacity>", 1_048_576n],
    ["<capacity unit='t'>1</capacity>", 1n << 40n],
    ["<capacity unit='bytes'>9223372036854775807</capacity>", 2n ** 63n - 1n],
  ])("%s", (capacity, bytes) => {
    expect(read(sized(capacity)).capacityBytes).toBe(bytes);
  });

  it("is written without the characters that XML cannot hold", () => {
    const said = read(sized("<capacity>5</capacity>"));
    const path = "/a\u0001\uFFFE\uFFFFb";
    const written = writeVolume({ ...said, target: { ...said.target, path } }, "dir");
    expect(written).toContain("<path>/ab</path>");
  });

  it("takes the capacity for an allocation that is not said", () => {
    expect(read(sized("<capacity>5</capacity>"))).toMatchObject({ allocationBytes: 5n, hasAllocation: false });
    expect(read(volume("<allocation>0</allocation>"))).toMatchObject({ allocationBytes: 0n, hasAllocation: true });
  });

  it("needs no capacity with a backing store, and none at all for a clone", () => {
    const backed = sized("<backingStore><path>/b</path></backingStore>");
    expect(read(backed)).toMatchObject({ capacityBytes: 0n, backingStore: { path: "/b", format: "raw" } });
    expect(() => read(backed, "dir", { capacity: "required" })).toThrow("missing capacity element");
    expect(read(sized(""), "dir", { capacity: "optional" }).capacityBytes).toBe(0n);
  });

  it("ignores what only the storage can know, unless told to read it", () => {
    const xml = `<volume type='block'><name>x</name><key>k</key><source><device path='/d'><extent start='1' end='2'/></device></source><capacity>1</capacity><physical>3</physical><target><path>/p</path><timestamps><mtime>1.000000005</mtime></timestamps></target></volume>`;
    expect(read(xml)).toMatchObject({
      type: "file",
      key: null,
      source: [],
      physicalBytes: 0n,
      target: { path: null, timestamps: null },
    });
    expect(read(xml, "dir", { ...CREATE, measured: "read" })).toMatchObject({
      type: "block",
      key: "k",
      source: [{ devicePath: "/d", extents: [{ startBytes: 1n, endBytes: 2n }] }],
      physicalBytes: 3n,
      target: { path: "/p", timestamps: { modificationNs: 1_000_000_005n, birthNs: 0n } },
    });
  });

  it.each<[PoolType, string | null, string | null, string]>([
    ["dir", null, "raw", "file"],
    ["dir", "dir", "dir", "dir"],
    ["fs", "ploop", "ploop", "ploop"],
    ["gluster", null, "raw", "network"],
    ["gluster", "dir", "dir", "netdir"],
    ["disk", null, "none", "block"],
    ["disk", "linux-swap", "linux-swap", "block"],
    ["rbd", null, "raw", "network"],
    ["logical", "no format at all", null, "block"],
    ["iscsi-direct", null, null, "network"],
  ])("a volume of a %s pool, format %s", (poolType, said, format, type) => {
    const xml = target(said === null ? "" : `<format type='${said}'/>`);
    expect(read(xml, poolType)).toMatchObject({ type, target: { format } });
  });

  it("takes features for version 1.1, in one order and once each", () => {
    const features = "<features><extended_l2/><lazy_refcounts/><extended_l2/></features>";
    expect(read(target(features)).target).toMatchObject({
      compat: "1.1",
      features: ["lazy_refcounts", "extended_l2"],
    });
    for (const compat of ["-1.1", " +1.1", "1.\t4294967295", "1.-5"]) {
      expect(read(target(`<compat>${compat}</compat>`)).target.compat).toBe(compat);
    }
    expect(read(target(`<compat>0.10</compat><features/>`)).target).toMatchObject({ compat: "0.10", features: [] });
  });

  it("keeps cipher and ivgen for LUKS alone", () => {
    const content = `${SECRET}<cipher name='aes' size='256' mode='xts'/><ivgen name='plain64'/>`;
    expect(read(encryption(content)).target.encryption).toMatchObject({
      secrets: [{ type: "passphrase", lookup: { uuid: UUID } }],
      cipher: { name: "aes", sizeBits: 256, mode: "xts", hash: null },
      ivgen: { name: "plain64", hash: null },
    });
    expect(read(encryption(content, "format='qcow'")).target.encryption).toMatchObject({ cipher: null, ivgen: null });
  });

  it("reads copy on write and cluster size", () => {
    expect(read(target("<nocow/><clusterSize unit='KiB'>64</clusterSize>")).target).toMatchObject({
      noCopyOnWrite: true,
      clusterSizeBytes: 65_536n,
    });
  });
});

describe("the written form", () => {
  const MEASURED: ReadVolumeOptions = { capacity: "required", measured: "read" };

  it.each<[PoolType, string]>([
    [
      "dir",
      `<volume type='file'>
  <name>k&apos;&quot;&amp;&lt;é</name>
  <key>/P/a</key>
  <capacity unit='bytes'>1048576</capacity>
  <allocation unit='bytes'>200704</allocation>
  <physical unit='bytes'>196616</physical>
  <target>
    <path>/P/a</path>
    <format type='qcow2'/>
    <permissions>
      <mode>00</mode>
      <owner>744</owner>
      <group>0</group>
      <label>virt_image_t</label>
    </permissions>
    <timestamps>
      <atime>1795295555.565858934</atime>
      <mtime>1795295555.000000001</mtime>
      <ctime>1795295555</ctime>
      <btime>0</btime>
    </timestamps>
    <encryption format='luks' engine='qemu'>
      <secret type='passphrase' uuid='${UUID}'/>
      <cipher name='aes' size='256' mode='cbc' hash='sha256'/>
      <ivgen name='essiv' hash='sha256'/>
    </encryption>
    <compat>1.1</compat>
    <clusterSize unit='B'>65536</clusterSize>
    <features>
      <lazy_refcounts/>
    </features>
  </target>
  <backingStore>
    <path>nbd:example.org:6000:exportname=blah</path>
    <format type='raw'/>
  </backingStore>
</volume>
`,
    ],
    [
      "logical",
      `<volume type='block'>
  <name>lv</name>
  <key>Ft9f2z</key>
  <source>
    <device path='/dev/sda'>
      <extent start='0' end='4096'/>
      <extent start='8192' end='12288'/>
    </device>
    <device path='/dev/sdb'>
      <extent start='0' end='4096'/>
    </device>
  </source>
  <capacity unit='bytes'>12288</capacity>
  <allocation unit='bytes'>12288</allocation>
  <target>
    <path>/dev/vg/lv</path>
  </target>
  <backingStore>
    <path>/dev/vg/origin</path>
  </backingStore>
</volume>
`,
    ],
    [
      "dir",
      `<volume type='dir'>
  <name>d</name>
  <capacity unit='bytes'>0</capacity>
  <allocation unit='bytes'>0</allocation>
  <target>
    <format type='dir'/>
    <encryption format='default'>
    </encryption>
    <compat>1.1</compat>
    <features/>
  </target>
</volume>
`,
    ],
  ])("of a volume in a %s pool is libvirt's to the letter", (poolType, xml) => {
    expect(writeVolume(readVolume(xml, poolType, MEASURED), poolType)).toBe(xml);
  });

  it("leaves out devices without extents", () => {
    const read = readVolume(volume(""), "logical", CREATE);
    const empty = { ...read, source: [{ devicePath: "/dev/sda", extents: [] }] };
    expect(writeVolume(empty, "logical")).toBe(writeVolume(read, "logical"));
  });

  it("writes times before 1970 as libvirt does", () => {
    const read = readVolume(target(""), "dir", CREATE);
    const timestamps = { accessNs: -1n, modificationNs: -1_000_000_000n, changeNs: 0n, birthNs: 0n };
    const xml = writeVolume({ ...read, target: { ...read.target, timestamps } }, "dir");
    expect(xml).toContain("<atime>18446744073709551615.999999999</atime>");
    expect(xml).toContain("<mtime>18446744073709551615</mtime>");
    expect(readVolume(xml, "dir", MEASURED).target.timestamps).toEqual(timestamps);
  });
});
