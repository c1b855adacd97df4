import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Directory } from "../../dist/host/index.js";
import { isLeftoverOfAtomicWrite } from "../../dist/host/index.js";
import { codeOf, scratchDirectory, testHosts, text, writeNew } from "./support.ts";

const root = scratchDirectory();
const hosts = testHosts();
let counter = 0;
let path: string;
let directory: Directory;

beforeEach(async () => {
  path = `${root}/${counter++}`;
  mkdirSync(path);
  directory = await hosts.local.openDirectory(path);
  return () => directory.close();
});

describe("an open directory", () => {
  it("keeps names of any bytes", async () => {
    const names = ["plain", "é", "\udcff\udcfe", "new\nline", "💾", "a\udcc3b", "x".repeat(255)];
    for (const name of names) await writeNew(directory, name, name.slice(0, 3).replace(/[\ud800-\udfff]/g, "?"));
    expect((await directory.names()).sort()).toEqual([...names].sort());
    expect(
      readdirSync(path, { encoding: "buffer" })
        .map((name) => name.toString("hex"))
        .sort(),
    ).toContain("fffe");
    for (const name of names) expect((await directory.lookup(name)).kind).toBe("file");
    await directory.rename("\udcff\udcfe", "\udc80");
    await directory.removeFile("\udc80");
    expect(await directory.names()).not.toContain("\udc80");
  });

  it("says of a node which device it is of, whatever the node is called", async () => {
    await directory.symlink("another name", "/dev/null");
    const { kind, deviceNumber } = await directory.lookup("another name");
    expect({ kind, deviceNumber }).toEqual({
      kind: "character",
      deviceNumber: statSync("/dev/null", { bigint: true }).rdev,
    });
    expect((await hosts.local.facts("/dev/null")).deviceNumber).toBe(deviceNumber);
  });

  it("follows symlinks as far as there is something, and cleans what is left of the path", async () => {
    await directory.makeDirectory("real", 0o755);
    await directory.symlink("link", "real");
    const real = await hosts.local.realPath(`${path}/link/../link/./missing/more`);
    expect(real).toBe(`${realpathSync(path)}/real/missing/more`);
  });

  it("gives what stat says, to the nanosecond", async () => {
    await writeNew(directory, "file", "12345", 0o640);
    const stats = statSync(`${path}/file`, { bigint: true });
    const facts = {
      kind: "file",
      sizeBytes: 5n,
      allocatedBytes: stats.blocks * 512n,
      blockSizeBytes: Number(stats.blksize),
      mode: 0o640,
      owner: Number(stats.uid),
      group: Number(stats.gid),
      device: stats.dev,
      inode: stats.ino,
      deviceNumber: 0n,
      accessNs: stats.atimeNs,
      modificationNs: stats.mtimeNs,
      changeNs: stats.ctimeNs,
      label: null,
    };
    expect(await directory.lookup("file")).toEqual(facts);
    expect(await hosts.local.facts(`${path}/file`)).toEqual(facts);
    await using file = await directory.open("file", { access: "read" });
    expect(await file.facts()).toEqual(facts);
    expect(await directory.facts()).toMatchObject({ kind: "directory", inode: statSync(path, { bigint: true }).ino });
  });

  it("tells the space of its file system as df does", async () => {
    const { capacityBytes, freeBytes } = await directory.space();
    const line = execFileSync("df", ["--block-size=1", "--output=size", path], { encoding: "utf8" });
    expect(capacityBytes).toBe(BigInt(line.split("\n")[1] ?? ""));
    expect(freeBytes).toBeGreaterThan(0n);
    expect(freeBytes).toBeLessThan(capacityBytes);
  });

  it("creates with exactly the mode that is asked for", async () => {
    for (const mode of [0o600, 0o644, 0o666, 0o777, 0o4755, 0]) {
      await writeNew(directory, `file${mode}`, "", mode);
      await directory.makeDirectory(`directory${mode}`, mode);
      expect((await directory.lookup(`file${mode}`)).mode).toBe(mode);
      expect((await directory.lookup(`directory${mode}`)).mode).toBe(mode);
    }
  });

  it("creates nothing where something is", async () => {
    await writeNew(directory, "file", "old");
    symlinkSync("nowhere", `${path}/dangling`);
    for (const name of ["file", "dangling"]) {
      expect(await codeOf(directory.open(name, { access: "write", create: "exclusive" }))).toBe("EEXIST");
      expect(await codeOf(directory.makeDirectory(name, 0o755))).toBe("EEXIST");
      expect(await codeOf(directory.symlink(name, "x"))).toBe("EEXIST");
    }
    expect(readdirSync(path).sort()).toEqual(["dangling", "file"]);
  });

  it("follows a symlink only where it is told so", async () => {
    await writeNew(directory, "file", "content");
    await directory.symlink("link", "file");
    expect(await directory.readLink("link")).toBe("file");
    expect((await directory.lookup("link")).kind).toBe("file");
    expect((await directory.lookup("link", { follow: false })).kind).toBe("symlink");
    expect(await codeOf(directory.open("link", { access: "read", follow: false }))).toBe("ELOOP");
    await using file = await directory.open("link", { access: "read" });
    expect(text(await file.read(0n, 100))).toBe("content");
    await directory.symlink("up", "..");
    expect(await codeOf(directory.openDirectory("up"))).toBe("ENOTDIR");
  });

  it("opens a FIFO and a socket without waiting for anybody", async () => {
    execFileSync("mkfifo", [`${path}/fifo`]);
    await using fifo = await directory.open("fifo", { access: "read" });
    expect((await fifo.facts()).kind).toBe("fifo");
    expect(await codeOf(directory.open("fifo", { access: "write", follow: false }))).toBe("succeeded");
  });

  it.each(["", ".", "..", "a/b", "../escape", "a\0b"])("refuses %j as a name in every call", async (name) => {
    const calls = [
      directory.lookup(name),
      directory.readLink(name),
      directory.open(name, { access: "read" }),
      directory.open(name, { access: "write", create: "exclusive" }),
      directory.openDirectory(name),
      directory.makeDirectory(name, 0o755),
      directory.removeFile(name),
      directory.removeDirectory(name),
      directory.rename(name, "x"),
      directory.rename("x", name),
      directory.symlink(name, "x"),
      directory.readFile(name, 10),
      directory.writeFileAtomically(name, new Uint8Array(1), 0o600),
    ];
    for (const code of await Promise.all(calls.map(codeOf))) expect(code).toBe("EINVAL");
  });

  it("reads small files whole, and none that is too long", async () => {
    await writeNew(directory, "file", "0123456789");
    expect(text(await directory.readFile("file", 10))).toBe("0123456789");
    expect(await codeOf(directory.readFile("file", 9))).toBe("EFBIG");
    expect(await codeOf(directory.readFile("absent", 9))).toBe("ENOENT");
    expect(await codeOf(directory.readFile("..", 9))).toBe("EINVAL");
    expect((await directory.readFile("file", 1_000_000)).length).toBe(10);
  });

  it("replaces a file in one step, with its mode, and leaves nothing else", async () => {
    writeFileSync(`${path}/config`, "old", { mode: 0o644 });
    const reader = await directory.open("config", { access: "read" });
    await directory.writeFileAtomically("config", Buffer.from("new content"), 0o600);
    expect(readFileSync(`${path}/config`, "utf8")).toBe("new content");
    expect(statSync(`${path}/config`).mode & 0o7777).toBe(0o600);
    expect(text(await reader.read(0n, 100))).toBe("old");
    await reader.close();
    expect(readdirSync(path)).toEqual(["config"]);
    mkdirSync(`${path}/occupied`);
    expect(await codeOf(directory.writeFileAtomically("occupied", new Uint8Array(), 0o600))).toBe("EISDIR");
    expect(readdirSync(path).sort()).toEqual(["config", "occupied"]);
  });

  it("knows what a power cut leaves of that", () => {
    expect(isLeftoverOfAtomicWrite(".cistern-new-0123456789abcdef")).toBe(true);
    expect(isLeftoverOfAtomicWrite("config.xml")).toBe(false);
  });

  it("changes mode and owner, its own and files'", async (context) => {
    context.skip(process.getuid?.() !== 0, "needs root to change owners");
    await writeNew(directory, "file", "");
    await using file = await directory.open("file", { access: "write" });
    await file.changeMode(0o604);
    await file.changeOwner(12, -1);
    await file.changeOwner(-1, 34);
    expect(await directory.lookup("file")).toMatchObject({ mode: 0o604, owner: 12, group: 34 });
    await directory.changeMode(0o2711);
    await directory.changeOwner(56, 78);
    expect(await hosts.local.facts(path)).toMatchObject({ mode: 0o2711, owner: 56, group: 78 });
  });

  it("is of no use once closed, and closes once only", async () => {
    const other = await hosts.local.openDirectory(path);
    const listing = other.names();
    const closing = other.close();
    expect(await listing).toEqual([]);
    await closing;
    await other.close();
    expect(await codeOf(other.names())).toBe("EBADF");
  });
});

describe("a path from an administrator", () => {
  it("makes missing parents, and nothing where all is there", async () => {
    await hosts.local.makeDirectories(`${path}/a/b/c`);
    await hosts.local.makeDirectories(`${path}/a/b/c`);
    await hosts.local.makeDirectory(`${path}/a/d`, 0o711);
    expect(statSync(`${path}/a/d`).mode & 0o7777).toBe(0o711);
    expect(await codeOf(hosts.local.makeDirectory(`${path}/a/d`, 0o711))).toBe("EEXIST");
    expect(await codeOf(hosts.local.removeDirectory(`${path}/a`))).toBe("ENOTEMPTY");
    await hosts.local.removeDirectory(`${path}/a/d`);
    expect(readdirSync(`${path}/a`)).toEqual(["b"]);
  });

  it("is absolute", async () => {
    expect(await codeOf(hosts.local.openDirectory("relative"))).toBe("EINVAL");
    expect(await codeOf(hosts.forPath("relative"))).toBe("EINVAL");
  });

  it("that is no directory is not opened as one", async () => {
    writeFileSync(`${path}/file`, "");
    expect(await codeOf(hosts.local.openDirectory(`${path}/file`))).toBe("ENOTDIR");
    expect(await codeOf(hosts.local.openDirectory(`${path}/absent`))).toBe("ENOENT");
  });
});

describe("a call", () => {
  it("that makes a directory when its caller has lost interest removes it again", async () => {
    const abort = new AbortController();
    const call = directory.makeDirectory("late", 0o700, { signal: abort.signal });
    abort.abort();
    expect(await codeOf(call)).toBe("ECANCELED");
    await delay(200);
    expect(readdirSync(path)).toEqual([]);
  });

  it("ends at its deadline and when it is given up", async () => {
    const aborted = AbortSignal.abort(new Error("enough"));
    expect(await codeOf(directory.names({ signal: aborted }))).toBe("ECANCELED");
    execFileSync("mkfifo", [`${path}/fifo`]);
    // Reads of a FIFO with a silent writer are the one thing on a local disk that waits.
    expect(await codeOf(hosts.local.run({ program: "cat", args: [`${path}/fifo`] }, { timeoutMs: 50 }))).toBe(
      "ETIMEDOUT",
    );
  });
});

describe("an open file", () => {
  let size: bigint;
  beforeAll(() => {
    size = 3n * 1024n * 1024n;
  });

  it("is read and written anywhere, also beyond 4 GiB and 8 PiB", async () => {
    await using file = await directory.open("file", { access: "read-write", create: "exclusive" });
    const far = 5n * 1024n ** 3n;
    await file.truncate(far + 10n);
    await file.write(far, Buffer.from("0123456789"));
    expect(text(await file.read(far + 5n, 100))).toBe("56789");
    expect(text(await file.read(far + 10n, 100))).toBe("");
    expect(await file.sizeBytes()).toBe(far + 10n);
    expect(await codeOf(file.write(2n ** 60n, Buffer.from("x")))).toBe("EFBIG");
    await file.checkOffset(far);
    expect(await codeOf(file.checkOffset(2n ** 63n - 1n))).toBe("EINVAL");
    // A size no double holds: ext4 refuses it, XFS would not.
    expect(["EFBIG", "succeeded"]).toContain(await codeOf(file.truncate(2n ** 60n + 1n)));
  });

  it("is overwritten in range, with progress, until it is given up", async () => {
    await using file = await directory.open("file", { access: "read-write", create: "exclusive" });
    await file.write(0n, Buffer.alloc(Number(size), 7));
    await file.overwriteWithZeros(10n, size - 20n);
    expect([...(await file.read(0n, 11))]).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0]);
    expect([...(await file.read(size - 11n, 11))]).toEqual([0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
    expect((await file.facts()).allocatedBytes).toBeGreaterThanOrEqual(size);
    const abort = new AbortController();
    const call = file.overwriteWithZeros(0n, size, { signal: abort.signal, progress: () => abort.abort() });
    expect(await codeOf(call)).toBe("ECANCELED");
    expect((await file.read(size - 1n, 1))[0]).toBe(7);
  });
});
