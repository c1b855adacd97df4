import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type FuseMount, fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { isTemporaryName, temporaryName } from "../../dist/host/index.js";
import { onFileSystems } from "./places.ts";
import { codeOf, failureOf, openBelow, scratchDirectory, testHosts, text } from "./support.ts";

const plain = { mode: 0o644, owner: -1, group: -1, label: null } as const;
const label = "system_u:object_r:virt_image_t:s0";

onFileSystems(["ext4", "xfs", "btrfs", "tmpfs"], (place, type) => {
  it("a new file grows without a name, and gets it complete", async () => {
    const { directory, path } = place();
    await using file = await directory.createUnnamed({ ...plain, sizeBytes: 1_048_576n });
    await file.write(0n, Buffer.from("content"));
    expect(readdirSync(path)).toEqual([]);
    const facts = await directory.publish(file, "volume", { sync: "directory" });
    expect(facts).toEqual(await directory.lookup("volume"));
    expect(facts).toMatchObject({ kind: "file", sizeBytes: 1_048_576n, mode: 0o644 });
    expect(readFileSync(`${path}/volume`).subarray(0, 8).toString()).toBe("content\0");
  });

  it("a small one is made whole in one call, with what it holds", async () => {
    const { directory, path } = place();
    const content = [
      { offsetBytes: 0n, bytes: Buffer.from("begin"), lengthBytes: 4_096 },
      { offsetBytes: 65_536n, bytes: Buffer.from("end"), lengthBytes: 3 },
    ];
    const facts = await directory.createWhole("whole", { ...plain, owner: 1_234, sizeBytes: 70_000n }, content);
    expect(facts).toEqual(await directory.lookup("whole"));
    expect(facts).toMatchObject({ kind: "file", sizeBytes: 70_000n, mode: 0o644, owner: 1_234 });
    const expected = Buffer.alloc(70_000);
    expected.write("begin");
    expected.write("end", 65_536);
    expect(readFileSync(`${path}/whole`).equals(expected)).toBe(true);
    expect(await failureOf(directory.createWhole("whole", plain, []))).toBe("EEXIST in link");
    expect(readFileSync(`${path}/whole`).equals(expected)).toBe(true);
    const tooFar = [{ offsetBytes: 2n ** 63n - 1n, bytes: Buffer.from("x"), lengthBytes: 1 }];
    expect(await failureOf(directory.createWhole("other", plain, tooFar))).toMatch(/^E(INVAL|FBIG) in write$/);
    expect(readdirSync(path)).toEqual(["whole"]);
  });

  it("one that is closed before leaves nothing", async () => {
    const { directory, path } = place();
    const file = await directory.createUnnamed({ ...plain, sizeBytes: 4_096n });
    await file.close();
    expect(readdirSync(path)).toEqual([]);
  });

  it("publishing never replaces a file, a directory or a symlink, dangling or not", async () => {
    const { directory, path } = place();
    writeFileSync(`${path}/file`, "precious");
    mkdirSync(`${path}/directory`);
    symlinkSync("file", `${path}/link`);
    symlinkSync("nowhere", `${path}/dangling`);
    const before = readdirSync(path).sort();
    for (const name of before) {
      await using file = await directory.createUnnamed(plain);
      expect(await failureOf(directory.publish(file, name, { sync: "file" }))).toBe("EEXIST in link");
      const temporary = temporaryName();
      await using named = await directory.createNamed(temporary, plain);
      expect(await failureOf(directory.publishEntry(temporary, name))).toBe("EEXIST in link");
      await directory.removeFile(temporary);
      expect(await failureOf(directory.createNamed(name, plain))).toBe("EEXIST in create");
      expect((await named.facts()).kind).toBe("file");
    }
    expect(readdirSync(path).sort()).toEqual(before);
    expect(readFileSync(`${path}/file`, "utf8")).toBe("precious");
  });

  it.each([0o666, 0o600, 0o1777, 0o4750])("has its mode %o and its owner when it gets its name", async (mode) => {
    const { directory, path } = place();
    const umask = process.umask(0o077);
    try {
      await using unnamed = await directory.createUnnamed({ ...plain, mode, owner: 1_234, group: 4_321 });
      await directory.publish(unnamed, "unnamed");
      await using named = await directory.createNamed("named", { ...plain, mode, owner: -1, group: 4_321 });
      expect((await named.facts()).mode).toBe(mode);
    } finally {
      process.umask(umask);
    }
    expect(factsAt(`${path}/unnamed`)).toEqual({ mode, uid: 1_234, gid: 4_321 });
    expect(factsAt(`${path}/named`)).toEqual({ mode, uid: 0, gid: 4_321 });
  });

  it("has its label from its first byte, where there are labels", async () => {
    const { directory } = place();
    await using file = await directory.createUnnamed({ ...plain, label });
    expect((await file.facts()).label).toBe(label);
    expect((await directory.publish(file, "labelled")).label).toBe(label);
    await file.setLabel("system_u:object_r:svirt_image_t:s0");
    expect((await directory.look("labelled", 0)).facts.label).toBe("system_u:object_r:svirt_image_t:s0");
    await using named = await directory.createNamed("named", { ...plain, label });
    expect((await named.facts()).label).toBe(label);
  });

  it("of one that cannot be made as it was asked for, nothing is left", async () => {
    const { directory, path } = place();
    const open = openBelow(path);
    const tooLarge = { ...plain, sizeBytes: 2n ** 62n };
    // xfs, btrfs and tmpfs have files of 8 EiB.
    const sizeFails = type === "ext4" ? "EFBIG in size" : "succeeded";
    expect(await failureOf(closed(directory.createUnnamed(tooLarge)))).toBe(sizeFails);
    expect(await failureOf(closed(directory.createNamed("named", tooLarge)))).toBe(sizeFails);
    if (sizeFails === "succeeded") await directory.removeFile("named");
    const flagged = { ...plain, noCopyOnWrite: true };
    const outcome = type === "btrfs" ? "succeeded" : "E";
    expect((await failureOf(closed(directory.createUnnamed(flagged)))).startsWith(outcome)).toBe(true);
    expect((await failureOf(closed(directory.createNamed("flagged", flagged)))).startsWith(outcome)).toBe(true);
    if (type === "btrfs") await directory.removeFile("flagged");
    const longLabel = { ...plain, label: "x".repeat(70_000) };
    expect(await failureOf(closed(directory.createUnnamed(longLabel)))).toMatch(/^E\w+ in label$/);
    expect(await failureOf(closed(directory.createNamed("long", longLabel)))).toMatch(/^E\w+ in label$/);
    expect(readdirSync(path)).toEqual([]);
    expect(openBelow(path)).toBe(open);
  });

  it("directories are published as files are", async () => {
    const { directory, path } = place();
    const temporary = temporaryName();
    await directory.makeDirectory(temporary, 0o750);
    writeFileSync(`${path}/${temporary}/inside`, "x");
    const facts = await directory.publishEntry(temporary, "directory", { sync: "directory" });
    expect(facts).toMatchObject({ kind: "directory", mode: 0o750 });
    expect(readdirSync(`${path}/directory`)).toEqual(["inside"]);
    expect(await failureOf(directory.publishEntry("absent", "x"))).toBe("ENOENT in link");
  });

  it("a look gives facts and the first bytes at once, and waits for nobody", async () => {
    const { directory, path } = place();
    writeFileSync(`${path}/long`, Buffer.alloc(10_000, 7));
    writeFileSync(`${path}/short`, "ab");
    mkdirSync(`${path}/directory`);
    symlinkSync("short", `${path}/link`);
    execFileSync("mkfifo", [`${path}/fifo`]);
    expect((await directory.look("long", 512)).head).toEqual(Buffer.alloc(512, 7));
    const short = await directory.look("short", 512);
    expect({ ...short, head: text(short.head ?? Buffer.alloc(0)) }).toEqual({
      facts: await directory.lookup("short"),
      head: "ab",
    });
    expect(await directory.look("directory", 512)).toMatchObject({ facts: { kind: "directory" }, head: null });
    expect(await directory.look("fifo", 512)).toMatchObject({ facts: { kind: "fifo" }, head: null });
    expect(await codeOf(directory.look("link", 512))).toBe("ELOOP");
    expect(text((await directory.look("link", 512, { follow: true })).head ?? Buffer.alloc(0))).toBe("ab");
    expect(await codeOf(directory.look("absent", 512))).toBe("ENOENT");
    expect(await codeOf(directory.look("long", 1 << 24))).toBe("E2BIG");
  });

  it("what is only being made is seen by no scan", async () => {
    const { directory, path } = place();
    const temporary = temporaryName();
    for (const name of [temporary, ".cistern-new-0123456789abcdef", ".cistern-other", ".cistern-0123.part"])
      writeFileSync(`${path}/${name}`, "x");
    const names: string[] = [];
    for await (const batch of directory.scan({ headBytes: 10, windows: [] })) names.push(...batch.map((e) => e.name));
    expect(names.sort()).toEqual([".cistern-0123.part", ".cistern-other"]);
    expect((await directory.names()).filter(isTemporaryName)).toEqual([temporary]);
  });
});

describe("where the file system has no nameless files", () => {
  const reason = missing(fuseRequirements);
  const root = scratchDirectory();
  const hosts = testHosts();

  it("that is said, and files grow under a temporary name", async (context) => {
    context.skip(reason !== null, reason ?? "");
    for (const name of ["source", "mounted"]) mkdirSync(`${root}/${name}`);
    await using mount: FuseMount = await mountFuse(`${root}/source`, `${root}/mounted`);
    const host = await hosts.forPath(mount.mountPoint);
    expect(host.home).toBe("remote");
    await using directory = await host.openDirectory(mount.mountPoint);
    expect(await failureOf(directory.createUnnamed(plain))).toBe("EOPNOTSUPP in create");
    expect(await failureOf(directory.createWhole("whole", plain, []))).toBe("EOPNOTSUPP in create");
    expect(readdirSync(`${root}/source`)).toEqual([]);
    const temporary = temporaryName();
    const file = await directory.createNamed(temporary, { ...plain, mode: 0o640, sizeBytes: 10n });
    await file.write(0n, Buffer.from("abc"));
    await file.close();
    const facts = await directory.publishEntry(temporary, "volume", { sync: "directory" });
    expect(facts).toMatchObject({ kind: "file", sizeBytes: 10n, mode: 0o640 });
    expect(readdirSync(`${root}/source`)).toEqual(["volume"]);
    await using second = await directory.createNamed(temporary, plain);
    expect(await failureOf(directory.publishEntry(temporary, "volume"))).toBe("EEXIST in link");
    expect((await second.facts()).sizeBytes).toBe(0n);
    expect((await directory.look("volume", 3)).head).toEqual(Buffer.from("abc"));
  });

  it("a file of one home is not published in another", async (context) => {
    context.skip(reason !== null, reason ?? "");
    for (const name of ["a", "b", "local"]) mkdirSync(`${root}/${name}`);
    await using mount: FuseMount = await mountFuse(`${root}/a`, `${root}/b`);
    await using there = await (await hosts.forPath(mount.mountPoint)).openDirectory(mount.mountPoint);
    await using here = await hosts.local.openDirectory(`${root}/local`);
    await using file = await here.createUnnamed(plain);
    expect(await codeOf(there.publish(file, "x"))).toBe("EXDEV");
    await using named = await there.createNamed("y", plain);
    expect(await codeOf(here.publish(named, "x"))).toBe("EXDEV");
  });
});

function factsAt(path: string): { mode: number; uid: number; gid: number } {
  const { mode, uid, gid } = statSync(path);
  return { mode: mode & 0o7777, uid, gid };
}

async function closed(file: Promise<AsyncDisposable>): Promise<void> {
  await (await file)[Symbol.asyncDispose]();
}
