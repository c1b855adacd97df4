// libvirt's files, as a real libvirtd 9.0.0 wrote them.

import { describe, expect, it } from "vitest";
import { readPool } from "../dist/pool-reader.js";
import { readPoolConfigFile, readPoolState, writePoolConfigFile, writePoolStateFile } from "../dist/state.js";

const UUID = "14cb415e-ba12-4496-843d-e7ebdb36c46e";

const netfs = readPool(
  `<pool type='netfs' xmlns:n='http://libvirt.org/schemas/storagepool/fs/1.0'><name>nf</name><uuid>${UUID}</uuid>` +
    "<source><host name='h'/><dir path='/e'/></source><target><path>/tmp/nf</path></target>" +
    "<n:mount_opts><n:option name='sync'/></n:mount_opts></pool>",
);

const CONFIG = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh pool-edit nf
or other application using the libvirt API.
-->

<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>
  <name>nf</name>
  <uuid>${UUID}</uuid>
  <capacity unit='bytes'>0</capacity>
  <allocation unit='bytes'>0</allocation>
  <available unit='bytes'>0</available>
  <source>
    <host name='h'/>
    <dir path='/e'/>
    <format type='auto'/>
  </source>
  <target>
    <path>/tmp/nf</path>
  </target>
  <fs:mount_opts>
    <fs:option name='sync'/>
  </fs:mount_opts>
</pool>
`;

/** Elements are indented, the lines of a text are not. */
const STATE = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh pool-edit lbl
or other application using the libvirt API.
-->

<poolstate>
  <pool type='dir'>
    <name>lbl</name>
    <uuid>${UUID}</uuid>
    <capacity unit='bytes'>0</capacity>
    <allocation unit='bytes'>0</allocation>
    <available unit='bytes'>0</available>
    <source>
    </source>
    <target>
      <path>/img3
  x</path>
      <permissions>
        <label>a
b</label>
      </permissions>
    </target>
  </pool>
</poolstate>
`;

describe("a definition's file", () => {
  it("has libvirt's form", () => {
    expect(writePoolConfigFile(netfs)).toBe(CONFIG);
  });
  it("reads back", () => {
    expect(readPoolConfigFile(CONFIG)).toEqual(netfs);
  });
});

describe("an active pool's file", () => {
  it("has libvirt's form and reads back", () => {
    expect(writePoolStateFile(readPoolState(STATE))).toBe(STATE);
  });
  it.each([
    ["another root", "<volume/>", 27, "expecting root element of 'pool', not 'volume'"],
    ["a broken plain pool", "<pool type='dir'/>", 27, "missing pool source name element"],
    ["no pool", "<poolstate/>", 1, "Pool state holds no <pool>"],
    ["a broken pool", "<poolstate><pool type='dir'/></poolstate>", 27, "missing pool source name element"],
  ])("is refused with %s", (_what, xml, libvirtCode, message) => {
    expect(() => readPoolState(xml)).toThrow(expect.objectContaining({ libvirtCode, message }));
  });
});

describe("the command that a file names", () => {
  const shown = (name: string) => /virsh pool-edit (.*)\n/.exec(writePoolConfigFile({ ...netfs, name }))?.[1];
  it.each(["plain", "A1", "é", "a.b_c-d+e", "a@b", "a:b", "a,b", "a=b", "a%b", "-a"])("has the name %s", (name) => {
    expect(shown(name)).toBe(name);
  });
  it.each([..."\t !\"#$&'()*;<>?[\\]^`{|}~", "--"])("has the UUID for a name with %j", (part) => {
    expect(shown(`a${part}b`)).toBe(UUID);
  });
});
