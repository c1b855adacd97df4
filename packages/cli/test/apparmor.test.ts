import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDisk } from "@cistern/documents";
import { expect, test } from "vitest";
import { confinesByAppArmor, rulesFor } from "../dist/apparmor.js";

test("a kernel says whether it confines programs", async () => {
  const directory = mkdtempSync(join(tmpdir(), "apparmor-"));
  try {
    const file = join(directory, "enabled");
    expect(await confinesByAppArmor(file)).toBe(false);
    writeFileSync(file, "N\n");
    expect(await confinesByAppArmor(file)).toBe(false);
    writeFileSync(file, "Y\n");
    expect(await confinesByAppArmor(file)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a guest may write to its volume, and read what that is built on", () => {
  const disk = readDisk(`<disk type='volume' device='disk'><source pool='p' volume='v'>
    <dataStore type='file'><format type='raw'/><source file='/data'/></dataStore></source>
    <backingStore type='file'><format type='qcow2'/><source file='/a "b"*'/>
    <backingStore type='block'><format type='raw'/><source dev='/dev/sdb1'/><backingStore/></backingStore></backingStore>
    <target dev='vda'/></disk>`);
  const below = [String.raw`"/a \"b\"\*" rk,`, '"/dev/sdb1" rk,'];
  expect(rulesFor("/images/{v}", disk)).toEqual([String.raw`"/images/\{v\}" rwk,`, '"/data" rwk,', ...below]);
  expect(rulesFor("/v", { ...disk, isReadOnly: true, dataStore: null })).toEqual(['"/v" rk,', ...below]);
});
