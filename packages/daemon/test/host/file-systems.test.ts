import { execFileSync } from "node:child_process";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  attachLoop,
  type LoopMount,
  type LoopType,
  loopRequirements,
  mountLoop,
} from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import type { Directory, File } from "../../dist/host/index.js";
import { codeOf, testHosts } from "./support.ts";

const hosts = testHosts();
const mebibyte = 1024n * 1024n;

/** What the file systems differ in. */
const types: readonly { type: LoopType; clones: boolean; noCopyOnWrite: string }[] = [
  { type: "ext4", clones: false, noCopyOnWrite: "EOPNOTSUPP" },
  { type: "xfs", clones: true, noCopyOnWrite: "EOPNOTSUPP" },
  { type: "btrfs", clones: true, noCopyOnWrite: "succeeded" },
];

describe.each(types)("on $type", ({ type, clones, noCopyOnWrite }) => {
  const reason = missing(loopRequirements(type));
  let mount: LoopMount;
  let directory: Directory;
  let file: File;
  let counter = 0;

  beforeAll(async () => {
    if (reason !== null) return;
    mount = mountLoop(type);
    directory = await hosts.local.openDirectory(mount.mountPoint);
    return async () => {
      await directory.close();
      await hosts.local.letGo?.(mount.mountPoint);
      mount.unmount();
    };
  });

  beforeEach(async (context) => {
    context.skip(reason !== null, reason ?? "");
    file = await directory.open(`file${counter++}`, { access: "read-write", create: "exclusive" });
    return async () => {
      await file.close();
      for (const name of await directory.names()) if (/^(file|clone)\d+$/.test(name)) await directory.removeFile(name);
    };
  });

  it("is a local home", async () => {
    expect((await hosts.forPath(`${mount.mountPoint}/x`)).home).toBe("local");
  });

  it("allocation reserves space and extends the file", async () => {
    await file.allocate(0n, 8n * mebibyte);
    const facts = await file.facts();
    expect(facts.sizeBytes).toBe(8n * mebibyte);
    expect(facts.allocatedBytes).toBeGreaterThanOrEqual(8n * mebibyte);
  });

  it("allocation beyond the file system is ENOSPC", async () => {
    expect(await codeOf(file.allocate(0n, 1024n * mebibyte))).toBe("ENOSPC");
  });

  it("zeroing frees the space, changes nothing around, and never extends", async () => {
    await file.write(0n, Buffer.alloc(4 * 1024 * 1024, 9));
    await file.sync();
    const before = (await file.facts()).allocatedBytes;
    await file.zero(mebibyte, 2n * mebibyte);
    await file.sync();
    expect((await file.facts()).allocatedBytes).toBeLessThanOrEqual(before - 2n * mebibyte);
    expect([...(await file.read(mebibyte - 1n, 2))]).toEqual([9, 0]);
    expect([...(await file.read(3n * mebibyte - 1n, 2))]).toEqual([0, 9]);
    await file.zero(4n * mebibyte - 1n, 100n * mebibyte);
    expect(await file.sizeBytes()).toBe(4n * mebibyte);
    expect([...(await file.read(4n * mebibyte - 2n, 2))]).toEqual([9, 0]);
  });

  it("data and holes are found", async () => {
    await file.truncate(8n * mebibyte);
    await file.write(2n * mebibyte, Buffer.alloc(1024 * 1024, 5));
    expect(await file.seekData(0n)).toBe(2n * mebibyte);
    expect(await file.seekHole(0n)).toBe(0n);
    expect(await file.seekHole(2n * mebibyte)).toBe(3n * mebibyte);
    expect(await file.seekData(3n * mebibyte)).toBeNull();
    expect(await file.seekHole(3n * mebibyte)).toBe(3n * mebibyte);
    expect(await file.seekData(8n * mebibyte)).toBeNull();
    expect(await file.seekHole(9n * mebibyte)).toBe(8n * mebibyte);
  });

  it(clones ? "blocks are shared by a clone" : "cloning is EOPNOTSUPP", async () => {
    await file.write(0n, Buffer.alloc(4 * 1024 * 1024, 3));
    await file.sync();
    await using clone = await directory.open(`clone${counter}`, { access: "read-write", create: "exclusive" });
    expect(await codeOf(clone.cloneFrom(file))).toBe(clones ? "succeeded" : "EOPNOTSUPP");
    if (!clones) return;
    expect([...(await clone.read(4n * mebibyte - 1n, 10))]).toEqual([3]);
    await clone.sync();
    const flags = execFileSync("filefrag", ["-v", `${mount.mountPoint}/clone${counter}`], { encoding: "utf8" });
    expect(flags).toContain("shared");
  });

  it("blocks are not shared with another file system", async () => {
    await using elsewhere = await hosts.local.openFile("/proc/self/exe", "read");
    expect(["EXDEV", "EOPNOTSUPP"]).toContain(await codeOf(file.cloneFrom(elsewhere)));
  });

  it(`copy on write switched off: ${noCopyOnWrite}`, async () => {
    expect(await codeOf(file.setNoCopyOnWrite(true))).toBe(noCopyOnWrite);
    expect(await codeOf(directory.setNoCopyOnWrite(true))).toBe(noCopyOnWrite);
    if (noCopyOnWrite !== "succeeded") return;
    const flags = () => execFileSync("lsattr", ["-d", mount.mountPoint], { encoding: "utf8" }).split(" ")[0];
    expect(flags()).toContain("C");
    await directory.setNoCopyOnWrite(false);
    expect(flags()).not.toContain("C");
  });

  it("sizes no double can hold are exact where the file system has them", async () => {
    const huge = 2n ** 60n + 1n;
    const code = await codeOf(file.truncate(huge));
    expect(code).toBe(type === "ext4" ? "EFBIG" : "succeeded");
    if (code === "succeeded") expect(await file.sizeBytes()).toBe(huge);
  });
});

describe("a SELinux label", () => {
  const reason = missing({
    ...loopRequirements("ext4"),
    programs: [...(loopRequirements("ext4").programs ?? []), "python3"],
  });

  it("is among the facts, wherever they come from", async (context) => {
    context.skip(reason !== null, reason ?? "");
    using mount = mountLoop("ext4");
    await using _letGo = { [Symbol.asyncDispose]: async () => hosts.local.letGo?.(mount.mountPoint) };
    await using directory = await hosts.local.openDirectory(mount.mountPoint);
    await using file = await directory.open("image", { access: "write", create: "exclusive" });
    expect((await file.facts()).label).toBeNull();
    const label = "system_u:object_r:virt_image_t:s0";
    const script =
      "import os, sys\nfor path in sys.argv[2:]: os.setxattr(path, 'security.selinux', sys.argv[1].encode() + b'\\0')";
    execFileSync("python3", ["-c", script, label, mount.mountPoint, `${mount.mountPoint}/image`]);
    const scanned: (string | null | undefined)[] = [];
    for await (const batch of directory.scan({ headBytes: 0, windows: [] })) {
      scanned.push(...batch.filter(({ name }) => name === "image").map(({ facts }) => facts?.label));
    }
    const facts = [
      directory.facts(),
      file.facts(),
      directory.lookup("image"),
      hosts.local.facts(`${mount.mountPoint}/image`),
    ];
    expect([...(await Promise.all(facts)).map((seen) => seen.label), ...scanned]).toEqual([
      label,
      label,
      label,
      label,
      label,
    ]);
  });
});

describe("on a block device", () => {
  const reason = missing({ root: true, programs: ["losetup"], paths: ["/dev/loop-control"] });

  it("size, content and zeroing are the device's", async (context) => {
    context.skip(reason !== null, reason ?? "");
    using loop = attachLoop(4 * 1024 * 1024);
    await using file = await hosts.local.openFile(loop.device, "read-write");
    expect(await file.sizeBytes()).toBe(4n * mebibyte);
    expect(await file.facts()).toMatchObject({ kind: "block", sizeBytes: 4n * mebibyte });
    await file.write(mebibyte, Buffer.alloc(1024 * 1024, 1));
    await file.zero(mebibyte, mebibyte / 2n);
    await file.sync();
    expect([...(await file.read(mebibyte + mebibyte / 2n - 1n, 2))]).toEqual([0, 1]);
    await file.overwriteWithZeros(0n, 4n * mebibyte);
    expect((await file.read(mebibyte, 1024 * 1024)).every((byte) => byte === 0)).toBe(true);
    expect(await codeOf(file.write(4n * mebibyte, Buffer.from("x")))).toBe("ENOSPC");
  });
});
