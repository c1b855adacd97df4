import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { hostLimits } from "../../dist/host/index.js";
import { hopsOf } from "./hops.ts";
import { codeOf, scratchDirectory, testHosts, text, timesOpen } from "./support.ts";

/** A directory that is asked for again within a moment is the one that is open already, if the path still leads to it. */

const root = scratchDirectory();
const hosts = testHosts();
let counter = 0;
let place: string;

beforeEach(() => {
  place = `${root}/${counter++}`;
  mkdirSync(`${place}/pool`, { recursive: true });
  writeFileSync(`${place}/pool/file`, "first");
});

const open = async () => (await hosts.forPath(`${place}/pool`)).openDirectory(`${place}/pool`);
const read = async () => {
  await using directory = await open();
  return text(await directory.readFile("file", 100));
};
const look = async () => {
  await using directory = await open();
  await directory.lookup("file");
};
const openTimes = () => timesOpen(`${place}/pool`);

it("costs one look at the path, and one at the entry", async () => {
  const first = await hopsOf(look);
  expect(first).toBeGreaterThan(3);
  expect(await hopsOf(look)).toBe(2);
});

it("is one open directory, however many use it, and is closed when its time is over", async () => {
  const directories = [await open(), await open(), await open()];
  expect(openTimes()).toBe(1);
  for (const directory of directories) await directory.close();
  expect(openTimes()).toBe(1);
  await delay(hostLimits.pathMemoryMs + 100);
  expect(openTimes()).toBe(0);
});

it("stays open for whoever uses it, beyond its time", async () => {
  await using directory = await open();
  await delay(hostLimits.pathMemoryMs + 100);
  expect(text(await directory.readFile("file", 100))).toBe("first");
  expect(openTimes()).toBe(1);
});

it("is of no use to whoever closed it", async () => {
  const closed = await open();
  await using other = await open();
  await closed.close();
  expect(await codeOf(closed.lookup("file"))).toBe("EBADF");
  expect((await other.lookup("file")).sizeBytes).toBe(5n);
});

it("is let go of when asked to", async () => {
  await look();
  expect(openTimes()).toBe(1);
  await hosts.local.letGo?.(`${place}/pool`);
  expect(openTimes()).toBe(0);
  expect(await read()).toBe("first");
});

it("is let go of before a command runs, which may be an unmount", async () => {
  await look();
  await hosts.local.run({ program: "true", args: [] });
  expect(openTimes()).toBe(0);
});

const replacements: readonly [string, () => void][] = [
  ["a symlink", () => symlinkSync("other", `${place}/pool`)],
  ["another directory", () => renameSync(`${place}/other`, `${place}/pool`)],
];

it.each(replacements)("is not taken for %s in its place", async (_, replace) => {
  mkdirSync(`${place}/other`);
  writeFileSync(`${place}/other/file`, "second");
  await using before = await open();
  renameSync(`${place}/pool`, `${place}/moved`);
  replace();
  expect(await read()).toBe("second");
  expect(text(await before.readFile("file", 100))).toBe("first");
});

it("is not found where it was removed, nor taken for a new one", async () => {
  await look();
  renameSync(`${place}/pool/file`, `${place}/file`);
  rmdirSync(`${place}/pool`);
  expect(await codeOf(open())).toBe("ENOENT");
  mkdirSync(`${place}/pool`);
  await using directory = await open();
  expect(await directory.names()).toEqual([]);
});

it("many at once open it once each time", async () => {
  const results = await Promise.all(Array.from({ length: 50 }, read));
  expect(new Set(results)).toEqual(new Set(["first"]));
  expect(openTimes()).toBe(1);
});

it("a mount over it is seen at once", async (context) => {
  const reason = missing(fuseRequirements);
  context.skip(reason !== null, reason ?? "");
  mkdirSync(`${place}/empty`);
  const home = async () => (await hosts.forPath(`${place}/empty`)).home;
  for (let turn = 0; turn < 5; turn++) {
    expect(await home()).toBe("local");
    await using mount = await mountFuse(`${place}/pool`, `${place}/empty`);
    expect(await home()).toBe("remote");
    await mount.unmount();
  }
});

it("a local mount over it is seen at once", async (context) => {
  const reason = missing({ root: true, programs: ["mount", "umount"] });
  context.skip(reason !== null, reason ?? "");
  expect(await read()).toBe("first");
  execFileSync("mount", ["-t", "tmpfs", "none", `${place}/pool`]);
  try {
    writeFileSync(`${place}/pool/file`, "tmpfs");
    expect(await read()).toBe("tmpfs");
  } finally {
    await hosts.local.letGo?.(`${place}/pool`);
    execFileSync("umount", [`${place}/pool`]);
  }
  expect(await read()).toBe("first");
});
