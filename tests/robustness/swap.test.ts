import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Connection, Pool, Volume } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { byEffort } from "../support/effort.js";
import { startedPool } from "./directory-pool.js";
import { PrivateDaemon } from "./private-daemon.js";

/**
 * Somebody who may write in a pool's directory, or above it, swaps what is there while calls run. What is guaranteed:
 *
 * - The pool's directory swapped with a symlink to another: nothing in the other is made, changed or deleted. A change
 *   happens in the directory that the last scan saw, or is refused.
 * - An entry swapped with a symlink to a file elsewhere: that file is not deleted, not made, gets no other mode or owner.
 *   Its content is neither read nor changed through a volume that was no symlink when it was found. A scan that finds a
 *   symlink makes it a volume, by design: in libvirt's pools a symlink to an image is one, and who may put one there needs
 *   no race. What creates (create, clone) never writes through a symlink, and what deletes removes the symlink.
 */

const SWAPPER = fileURLToPath(new URL("./swapper.mjs", import.meta.url));
const ROUNDS = byEffort({ fast: 60, normal: 120, long: 5_000 });
const SIZE = 65_536;

let daemon: PrivateDaemon;
let connection: Connection;
let pool: Pool;
let directory: string;
let victim: string;
let swapper: ChildProcess | null = null;
let swapped = "";
let counter = 0;

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connection = await daemon.connect();
});
afterAll(() => daemon?.close());

beforeEach(async () => {
  const place = join(daemon.root, `place-${counter++}`);
  directory = join(place, "pool");
  victim = join(place, "victim");
  await mkdir(place);
  await mkdir(victim);
  for (const name of ["a", "b", "source", "elsewhere"]) await writeFile(join(victim, name), `precious ${name}`);
  await chmod(join(victim, "a"), 0o640);
  await mkdir(directory);
  for (const name of ["a", "b", "source"]) await writeFile(join(directory, name), Buffer.alloc(SIZE, name));
  pool = await startedPool(connection, `swapped-${counter}`, directory);
});
afterEach(endSwapping);

async function swap(path: string, target: string): Promise<void> {
  swapper = spawn(process.execPath, [SWAPPER, path, target], { stdio: ["ignore", "pipe", "inherit"] });
  swapped = path;
  if (swapper.stdout === null) throw new Error("no stdout");
  await once(swapper.stdout, "data");
}

/** What was there is there again. */
async function endSwapping(): Promise<void> {
  const running = swapper;
  swapper = null;
  if (running === null) return;
  running.kill("SIGKILL");
  if (running.exitCode === null) await once(running, "exit");
  await rm(`${swapped}.link`, { force: true });
  const symlinked = await lstat(swapped).then(
    (facts) => facts.isSymbolicLink(),
    () => true,
  );
  if (!symlinked) return;
  await rm(swapped, { force: true });
  await rename(`${swapped}.real`, swapped).catch(() => {});
}

/** Everything about the files of the victim but when they were read. */
async function snapshot(contentLeftOut = ""): Promise<unknown> {
  const names = (await readdir(victim)).sort();
  const entries = names.map(async (name) => {
    const { mode, ino, uid, gid, nlink, size, mtimeNs, ctimeNs } = await lstat(join(victim, name), { bigint: true });
    const facts = { name, mode, ino, uid, gid, nlink };
    if (name === contentLeftOut) return facts;
    const hash = createHash("sha256")
      .update(await readFile(join(victim, name)))
      .digest("hex");
    return { ...facts, size, mtimeNs, ctimeNs, hash };
  });
  const own = await lstat(victim, { bigint: true });
  return { own: { mode: own.mode, mtimeNs: own.mtimeNs }, entries: await Promise.all(entries) };
}

const newVolume = (name: string, format = "raw"): string =>
  `<volume><name>${name}</name><capacity>${SIZE}</capacity><allocation>0</allocation>
   <target><format type='${format}'/><permissions><mode>0666</mode></permissions></target></volume>`;

/** Calls that change volumes; how they end does not matter here. */
const calls: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
  create: (round) => pool.createVolume(newVolume(`new-${round}`)),
  createImage: (round) => pool.createVolume(newVolume(`image-${round}`, "qcow2")),
  createDirectory: (round) => pool.createVolume(newVolume(`dir-${round}`, "dir")),
  createElsewhere: () => pool.createVolume(newVolume("elsewhere")),
  clone: async (round) => pool.cloneVolume(newVolume(`clone-${round}`), await volume("source")),
  upload: async () => {
    const stream = await (await volume("a")).openUpload();
    stream.end("ours");
    await once(stream, "close");
  },
  resize: async () => (await volume("a")).resize(BigInt(2 * SIZE)),
  shrink: async () => (await volume("a")).resize(BigInt(SIZE), { shrink: true }),
  wipe: async () => (await volume("a")).wipe(),
  remove: async (round) => (await volume(`new-${round}`)).delete(),
  removeDirectory: async (round) => (await volume(`dir-${round}`)).delete(),
  removeElsewhere: async () => (await volume("elsewhere")).delete(),
  createSwapped: () => pool.createVolume(newVolume("swapped")),
  cloneSwapped: async () => pool.cloneVolume(newVolume("swapped"), await volume("source")),
  removeSwapped: async () => (await volume("swapped")).delete(),
};
const volume = (name: string): Promise<Volume> => pool.lookupVolume(name);
const at = (name: string): string => join(directory, name);

/** Runs the calls over and over while something is swapped; how many succeeded, and how many were refused. */
async function exercise(
  names: readonly string[],
  path: string,
  target: string,
  refreshes = false,
): Promise<[number, number]> {
  let [done, refused] = [0, 0];
  await swap(path, target);
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const call = calls[name];
      if (call === undefined) throw new Error(`there is no call ${name}`);
      try {
        await call(round);
        done++;
      } catch (error) {
        if (!(error instanceof LibvirtError)) throw error;
        refused++;
      }
    }
    // A scan that came between found the name missing.
    if (refreshes) await pool.refresh();
    // A scan that met the directory while there was none has stopped the pool.
    if (await pool.isActive()) continue;
    await endSwapping();
    await pool.start();
    await swap(path, target);
  }
  await endSwapping();
  return [done, refused];
}

describe("while the pool's directory is swapped with a symlink to another", () => {
  it("nothing in the other is made, changed or deleted", { timeout: 300_000 }, async () => {
    const before = await snapshot();
    const [done, refused] = await exercise(Object.keys(calls), directory, victim);
    expect(await snapshot()).toEqual(before);
    console.log(`swapped directory: ${done} calls done, ${refused} refused`);
    expect(done).toBeGreaterThan(ROUNDS);
    expect(refused).toBeGreaterThan(ROUNDS);
  });

  it("an upload that is under way stays with its file", async () => {
    const before = await snapshot();
    const stream = await (await pool.lookupVolume("a")).openUpload();
    await rename(directory, `${directory}.moved`);
    await symlink(victim, directory);
    stream.end("ours");
    await once(stream, "close");
    expect(await snapshot()).toEqual(before);
    expect((await readFile(`${directory}.moved/a`)).subarray(0, 5).toString()).toBe("oursa");
    await expect(pool.createVolume(newVolume("more"))).rejects.toThrow("Stale file handle");
    await expect((await pool.lookupVolume("a")).delete()).rejects.toThrow("Stale file handle");
    // Who looks at what lies there now has seen it.
    await pool.refresh();
    expect((await pool.listVolumes()).map(({ name }) => name)).toContain("elsewhere");
  });
});

describe("while an entry is swapped with a symlink to a file elsewhere", () => {
  it("nothing is created or cloned through it, and deleting it removes the symlink", { timeout: 300_000 }, async () => {
    const before = await snapshot();
    // The name is free, then a dangling symlink or one to a file, then free.
    for (const target of [join(victim, "a"), join(victim, "dangling")]) {
      const [done, refused] = await exercise(["createSwapped", "cloneSwapped", "removeSwapped"], at("swapped"), target);
      expect(done + refused).toBe(3 * ROUNDS);
    }
    expect(await snapshot()).toEqual(before);
  });

  it("a volume that was no symlink is none: the file is not changed, not even its content", {
    timeout: 300_000,
  }, async () => {
    const before = await snapshot();
    const [done, refused] = await exercise(["wipe", "resize", "shrink"], at("a"), join(victim, "a"));
    expect([done > 0, refused > 0]).toEqual([true, true]);
    expect(await snapshot()).toEqual(before);
  });

  it("once a scan has found the symlink, it is the volume", async () => {
    await rm(at("a"));
    await symlink(join(victim, "a"), at("a"));
    await expect((await volume("a")).wipe()).rejects.toThrow("Too many levels of symbolic links");
    await pool.refresh();
    await (await volume("a")).wipe();
    expect((await readFile(join(victim, "a"))).every((byte) => byte === 0)).toBe(true);
  });

  it("nothing but content changes there, and only that of the file it leads to", { timeout: 300_000 }, async () => {
    const before = await snapshot("b");
    const [done] = await exercise(["upload", "resize", "shrink", "wipe"], at("a"), join(victim, "b"), true);
    expect(done).toBeGreaterThan(0);
    expect(await snapshot("b")).toEqual(before);
  });
});

describe("names that lead elsewhere", () => {
  it.each([
    ["the directory above", "../x"],
    ["a directory below", "a/b"],
    ["the directory", "."],
    ["its parent", ".."],
    ["an absolute path", "/etc/passwd"],
    ["nothing", ""],
    ["256 bytes", "x".repeat(256)],
    ["100,000 bytes", "x".repeat(100_000)],
    ["a byte that XML has not", "a\u0001"],
  ])("%s: nothing is made", async (_what, name) => {
    const before = await snapshot();
    const others = await readdir(join(directory, ".."));
    const escaped = name.replaceAll("\u0001", "&#1;");
    await expect(pool.createVolume(newVolume(escaped))).rejects.toThrow(LibvirtError);
    await expect(pool.cloneVolume(newVolume(escaped), await pool.lookupVolume("source"))).rejects.toThrow(LibvirtError);
    await expect(pool.lookupVolume(name)).rejects.toThrow("no storage vol with matching name");
    expect(await readdir(join(directory, ".."))).toEqual(others);
    expect((await readdir(directory)).sort()).toEqual(["a", "b", "source"]);
    expect(await snapshot()).toEqual(before);
  });

  it("a line feed and bytes that are not UTF-8 are names like others", async () => {
    const odd = Buffer.concat([Buffer.from(`${directory}/odd`), Buffer.of(0xff, 0x0a)]);
    await writeFile(odd, "odd");
    await pool.refresh();
    const volume = await pool.lookupVolume("odd\udcff\n");
    expect((await volume.info()).capacityBytes).toBe(3n);
    await volume.wipe();
    await volume.delete();
    await (await pool.createVolume(newVolume("two&#10;lines"))).delete();
    expect((await readdir(directory)).sort()).toEqual(["a", "b", "source"]);
  });
});
