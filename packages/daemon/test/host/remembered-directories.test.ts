import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { type Directory, hostLimits } from "../../dist/host/index.js";
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

it("is found anew after a pause in one trip for all of its path and one for itself", async () => {
  const seen: number[] = [];
  // Whatever is mounted or unmounted meanwhile on this machine has the mount table read again.
  while (!seen.includes(3) && seen.length < 10) {
    await look();
    await delay(hostLimits.pathMemoryMs + 100);
    seen.push(await hopsOf(look));
  }
  expect(seen).toContain(3);
  expect(Math.min(...seen)).toBe(3);
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

describe("opened lazily", () => {
  const lazily = async (): Promise<Directory> =>
    (await hosts.forPath(`${place}/pool`)).openDirectory(`${place}/pool`, { lazily: true });
  const replaceIt = (): void => {
    mkdirSync(`${place}/other`);
    writeFileSync(`${place}/other/file`, "second one");
    renameSync(`${place}/pool`, `${place}/moved`);
    renameSync(`${place}/other`, `${place}/pool`);
  };
  const sizeIn = async (directory: Directory): Promise<bigint> => (await directory.lookup("file")).sizeBytes;

  it("costs one trip for the path and the entry together", async () => {
    await look();
    const hops = await hopsOf(async () => {
      await using directory = await lazily();
      await directory.lookup("file");
    });
    expect(hops).toBe(1);
  });

  it("is what the path leads to when it is first used, by whatever call", async () => {
    await look();
    await using first = await lazily();
    await using second = await lazily();
    await using third = await lazily();
    await using fourth = await lazily();
    replaceIt();
    expect(await sizeIn(first)).toBe(10n);
    expect(text(await second.readFile("file", 100))).toBe("second one");
    expect(await third.identity()).toEqual(await first.identity());
    await fourth.removeFile("file");
    expect(existsSync(`${place}/pool/file`)).toBe(false);
    expect(existsSync(`${place}/moved/file`)).toBe(true);
  });

  it("stays what it was once it was used", async () => {
    await look();
    await using directory = await lazily();
    expect(await sizeIn(directory)).toBe(5n);
    replaceIt();
    expect(await sizeIn(directory)).toBe(5n);
  });

  it("fails as the opening would have where the path leads nowhere", async () => {
    await look();
    await using directory = await lazily();
    renameSync(`${place}/pool`, `${place}/moved`);
    expect(await codeOf(directory.lookup("file"))).toBe("ENOENT");
    expect(await codeOf(directory.names())).toBe("ENOENT");
  });

  it("does nothing, however often it is asked, where it is to be the one that it was", async () => {
    await look();
    await using directory = await lazily();
    await using remembered = await open();
    await directory.insist(await remembered.identity());
    replaceIt();
    for (let times = 0; times < 2; times++) {
      expect(await codeOf(directory.removeFile("file"))).toBe("ESTALE");
      expect(await codeOf(directory.names())).toBe("ESTALE");
    }
    expect(existsSync(`${place}/pool/file`)).toBe(true);
    expect(existsSync(`${place}/moved/file`)).toBe(true);
  });

  it("may be insisted on to be the new one", async () => {
    await look();
    await using directory = await lazily();
    replaceIt();
    await using now = await open();
    await directory.insist(await now.identity());
    expect(await sizeIn(directory)).toBe(10n);
    expect(await codeOf(directory.insist({ device: 1n, inode: 1n }))).toBe("ESTALE");
  });

  it("cannot be given to a program before it was used", async () => {
    await look();
    await using directory = await lazily();
    const command = { program: "cat", args: [{ in: directory, name: "file" }] };
    expect(await codeOf(hosts.local.run(command))).toBe("EINVAL");
    await directory.lookup("file");
    expect((await hosts.local.run(command)).stdout).toBe("first");
  });
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

it("that is opened anew for a call is closed with whoever asked for it", async () => {
  await look();
  const directory = await hosts.local.openDirectory(`${place}/pool`, { lazily: true });
  renameSync(`${place}/pool`, `${place}/old`);
  mkdirSync(`${place}/pool`);
  writeFileSync(`${place}/pool/file`, "second");
  const call = codeOf(directory.lookup("file"));
  await directory.close();
  expect(await call).toBe("succeeded");
  await delay(hostLimits.pathMemoryMs + 100);
  expect([openTimes(), timesOpen(`${place}/old`)]).toEqual([0, 0]);
});
