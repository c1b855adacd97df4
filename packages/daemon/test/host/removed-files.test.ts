import { closeSync, linkSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it, vi } from "vitest";
import { type Directory, hostLimits } from "../../dist/host/index.js";
import { nativeCalls } from "../../dist/host/local/native-calls.js";
import { codeOf, pathsOpenBelow, scratchDirectory, testHosts } from "./support.ts";

const root = scratchDirectory();
const { local } = testHosts();
const LARGE = hostLimits.freedBehindBytes + 4_096;
let directory: Directory;

beforeEach(async () => {
  directory = await local.openDirectory(root);
  return () => directory.close();
});

/** Files of the directory that have no name any more and are open all the same; those that never had one are called by a number. */
function heldWithoutName(): string[] {
  return pathsOpenBelow(root).filter((path) => path.endsWith(" (deleted)") && !/#\d+ \(deleted\)$/.test(path));
}

/** Keeps all threads for large work busy until it is awaited. */
function busyThreads(): { readonly ended: () => number; readonly all: Promise<unknown> } {
  let ended = 0;
  const work = Array.from({ length: hostLimits.bulkThreads * 2 }, async () => {
    await using file = await directory.createUnnamed({ mode: 0o600, owner: -1, group: -1, label: null });
    await file.overwrite(0n, 64n << 20n, "random");
    ended += 1;
  });
  return { ended: () => ended, all: Promise.all(work) };
}

it("what a large file holds is freed by the threads for large work, and no look waits for it", async () => {
  writeFileSync(join(root, "large"), Buffer.alloc(LARGE, 1));
  const busy = busyThreads();
  await directory.look("absent", 1).catch(() => undefined);
  let removed = false;
  const removal = directory.removeFile("large").then(() => {
    removed = true;
  });
  while ((await codeOf(directory.lookup("large"))) !== "ENOENT") expect(busy.ended()).toBe(0);
  await directory.look("absent", 1).catch(() => undefined);
  expect([removed, busy.ended()]).toEqual([false, 0]);
  expect(heldWithoutName()).toContain(`${join(root, "large")} (deleted)`);
  await Promise.all([busy.all, removal]);
  expect(heldWithoutName()).toEqual([]);
});

it("a small file is removed at once, and freed right behind", async () => {
  writeFileSync(join(root, "small"), Buffer.alloc(hostLimits.freedBehindBytes, 1));
  const busy = busyThreads();
  await directory.look("absent", 1).catch(() => undefined);
  await directory.removeFile("small");
  expect(busy.ended()).toBe(0);
  await vi.waitFor(() => expect(heldWithoutName()).toEqual([]), { timeout: 5_000 });
  await busy.all;
});

it("a large file without data is a small one", async () => {
  writeFileSync(join(root, "sparse"), "");
  truncateSync(join(root, "sparse"), LARGE);
  const busy = busyThreads();
  await directory.look("absent", 1).catch(() => undefined);
  await directory.removeFile("sparse");
  expect(busy.ended()).toBe(0);
  await busy.all;
});

it("a file with another name keeps what it holds", async () => {
  writeFileSync(join(root, "one"), Buffer.alloc(LARGE, 7));
  linkSync(join(root, "one"), join(root, "other"));
  await directory.removeFile("one");
  expect(readdirSync(root)).toEqual(["other"]);
  expect(readFileSync(join(root, "other")).equals(Buffer.alloc(LARGE, 7))).toBe(true);
  await directory.removeFile("other");
});

it("what cannot be removed is left, and not held", async () => {
  await directory.makeDirectory("directory", 0o700);
  expect(await codeOf(directory.removeFile("directory"))).toBe("EISDIR");
  expect(await codeOf(directory.removeFile("absent"))).toBe("ENOENT");
  await directory.removeDirectory("directory");
  await vi.waitFor(() => expect(pathsOpenBelow(root)).toEqual([root]), { timeout: 5_000 });
});

/** A child for storage that can hang may serve NFS, which gives a file that is open another name instead of removing it. */
it("is not held where that would give it another name", async () => {
  writeFileSync(join(root, "large"), Buffer.alloc(LARGE, 1));
  const fd = openSync(root, "r");
  try {
    expect(nativeCalls.removeFile({ directory: fd, name: "large", holds: false })).toBeNull();
  } finally {
    closeSync(fd);
  }
  expect(heldWithoutName()).toEqual([]);
});
