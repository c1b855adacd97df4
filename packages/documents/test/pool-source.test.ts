import { describe, expect, it } from "vitest";
import { readSourceSpecification, writeDiscoveredSources } from "../dist/pool-source.js";
import { emptySource } from "../dist/pool-source-reader.js";

describe("a specification of sources to find", () => {
  it("needs nothing but the element", () => {
    expect(readSourceSpecification("<source/>", "netfs")).toEqual(emptySource("netfs"));
  });
  it("says where to look and as whom", () => {
    const xml = "<source><host name='h' port='3261'/><initiator><iqn name='i'/></initiator></source>";
    expect(readSourceSpecification(xml, "iscsi")).toMatchObject({
      hosts: [{ name: "h", port: 3261 }],
      initiatorIqn: "i",
    });
  });
});

describe("found sources are written as libvirt writes them", () => {
  it("for netfs", () => {
    const found = (directory: string, format: string) => ({
      ...emptySource("netfs"),
      hosts: [{ name: "srv", port: 0 }],
      directory,
      format,
    });
    expect(writeDiscoveredSources("netfs", [found("/exports/b dir", "nfs"), found("gv0", "glusterfs")])).toBe(
      `<sources>
  <source>
    <host name='srv'/>
    <dir path='/exports/b dir'/>
    <format type='nfs'/>
  </source>
  <source>
    <host name='srv'/>
    <dir path='gv0'/>
    <format type='glusterfs'/>
  </source>
</sources>
`,
    );
  });
  it("for volume groups", () => {
    const device = (path: string) => ({ path, partSeparator: null, freeExtents: [] });
    const group = { ...emptySource("logical"), devices: [device("/dev/sda"), device("/dev/sdb")], name: "vg" };
    expect(writeDiscoveredSources("logical", [group])).toBe(`<sources>
  <source>
    <device path='/dev/sda'/>
    <device path='/dev/sdb'/>
    <name>vg</name>
    <format type='lvm2'/>
  </source>
</sources>
`);
  });
  it("and none is an empty list", () => {
    expect(writeDiscoveredSources("iscsi", [])).toBe("<sources>\n</sources>\n");
  });
});
