import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import type { PoolDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loopRequirements } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { fileSystemDriver } from "../../dist/drivers/file-system.js";
import { pool } from "./documents.js";
import { errorOf, Laboratory, scan } from "./laboratory.js";
import { loopDevice, makeFileSystem, mountsOf, optionsAt } from "./mounting.js";
import { standIn } from "./stand-in.js";

const NO_OVERWRITE = 4;
const OVERWRITE = 8;

const reason = missing({
  ...loopRequirements("ext4"),
  programs: ["mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkfs.vfat", "losetup", "mount", "parted"],
});

let laboratory: Laboratory;
let device: string;
let target: string;

beforeEach((context) => {
  context.skip(reason !== null, reason ?? "");
  laboratory = new Laboratory();
  device = loopDevice(laboratory);
  target = laboratory.path("images");
});
afterEach(() => laboratory.close());

function poolOn(devicePath: string | readonly string[], more: { format?: string; options?: string[] } = {}) {
  const { source, ...rest } = pool("fs", target, { mountOptions: more.options ?? [] });
  const devices = [devicePath].flat().map((path) => ({ path, partSeparator: null, freeExtents: [] }));
  return { ...rest, source: { ...source, devices, format: more.format ?? null } } satisfies PoolDocument;
}

const build = (document: PoolDocument, flags: number) => fileSystemDriver.build?.(document, laboratory.host, flags);
const start = (document: PoolDocument) => fileSystemDriver.start?.(document, laboratory.host, laboratory.poolContext);
const stop = (document: PoolDocument, made: readonly string[] = []) =>
  fileSystemDriver.stop?.(document, laboratory.host, { ...laboratory.poolContext, made });
const check = (document: PoolDocument) => fileSystemDriver.check(document, laboratory.host);

describe("build", () => {
  test("without a flag only the directory is made", async () => {
    await build(poolOn(device, { format: "ext4" }), 0);
    expect(await errorOf(start(poolOn(device, { format: "ext4" })) ?? Promise.reject())).toContain("wrong fs type");
  });

  test.each(["ext2", "ext3", "ext4", "xfs"])("%s, over what was there only with OVERWRITE", async (format) => {
    const document = poolOn(device, { format });
    await build(document, NO_OVERWRITE);
    expect(await errorOf(build(document, NO_OVERWRITE) ?? Promise.reject())).toBe(
      `76/18 Storage pool already built: Device '${device}' already formatted using '${format}'`,
    );
    const other = poolOn(device, { format: format === "ext4" ? "xfs" : "ext4" });
    expect(await errorOf(build(other, NO_OVERWRITE) ?? Promise.reject())).toBe(
      `76/18 Storage pool already built: Format of device '${device}' does not match the expected format ` +
        `'${other.source.format}', forced overwrite is necessary`,
    );
    await build(other, OVERWRITE);
    await start(other);
    expect(mountsOf(device)).toEqual([`${target} ${other.source.format} ${device}`]);
  });

  test("vfat", async () => {
    await build(poolOn(device, { format: "vfat" }), NO_OVERWRITE);
    expect(execFileSync("blkid", ["-p", "-o", "value", "-s", "TYPE", device], { encoding: "utf8" })).toBe("vfat\n");
  });

  test("a partition table counts as something", async () => {
    execFileSync("parted", ["-s", device, "mklabel", "gpt"]);
    const built = build(poolOn(device, { format: "ext4" }), NO_OVERWRITE) ?? Promise.reject();
    expect(await errorOf(built)).toContain("76/18 ");
  });

  test("a device that is not there, none at all, a format that nothing can make", async () => {
    const absent = poolOn("/dev/absent", { format: "ext4" });
    const at = "55/18 Requested operation is not valid: ";
    const error = `when formatting pool '${absent.name}'`;
    expect(await errorOf(build(absent, OVERWRITE) ?? Promise.reject())).toBe(
      `${at}Source device does not exist ${error}`,
    );
    expect(await errorOf(build(poolOn([]), OVERWRITE) ?? Promise.reject())).toBe(
      `${at}No source device specified ${error}`,
    );
    const made = build(poolOn(device, { format: "hfs+" }), OVERWRITE) ?? Promise.reject();
    expect(await errorOf(made)).toMatch(
      /^1\/0 internal error: Child process \(.*mkfs -t hfs\+ \/dev\/loop.*\) unexpected/,
    );
  });

  test("a file system that is in use is not made anew", async () => {
    const document = poolOn(device, { format: "ext4" });
    await build(document, NO_OVERWRITE);
    await start(document);
    expect(await errorOf(build(document, OVERWRITE) ?? Promise.reject())).toContain("is mounted");
  });
});

describe("start and stop", () => {
  beforeEach(() => {
    makeFileSystem("ext4", device);
    mkdirSync(target);
  });

  test("mounts with the options that every pool has, and those of the document", async () => {
    const document = poolOn(device, { options: ["noatime"] });
    expect(await start(document)).toEqual({ made: [`mount ${target}`] });
    expect(optionsAt(target)).toEqual(expect.arrayContaining(["nodev", "nosuid", "noexec", "noatime"]));
    expect((await scan(fileSystemDriver, document, laboratory.host)).volumes.map((v) => v.document.name)).toEqual([
      "lost+found",
    ]);
    await stop(document);
    expect(mountsOf(device)).toEqual([]);
    // Once more changes nothing.
    await stop(document);
  });

  test("what is mounted already is taken as it is", async () => {
    execFileSync("mount", [device, target]);
    expect(await check(poolOn(device))).toBe(true);
    expect(await start(poolOn(device))).toEqual({ made: [] });
    expect(mountsOf(device)).toHaveLength(1);
  });

  test.each([
    ["a link", () => symlinkSync(device, laboratory.path("by-link"))],
    [
      "a link to a link",
      () => {
        symlinkSync(device, laboratory.path("first"));
        symlinkSync("first", laboratory.path("by-link"));
      },
    ],
  ])("a device by %s is the same device", async (_, link) => {
    link();
    const document = poolOn(laboratory.path("by-link"));
    await start(document);
    expect(mountsOf(device)).toHaveLength(1);
    expect(await check(document)).toBe(true);
    expect(await start(document)).toEqual({ made: [] });
    await stop(document);
    expect(mountsOf(device)).toEqual([]);
  });

  test("a target by a link is where it leads to", async () => {
    symlinkSync(target, laboratory.path("link"));
    const document = { ...poolOn(device), target: { ...poolOn(device).target, path: laboratory.path("link") } };
    await start(document);
    expect(mountsOf(device)).toHaveLength(1);
    expect(await check(document)).toBe(true);
    await stop(document);
    expect(await check(document)).toBe(false);
  });

  test("another device on the target, or the device elsewhere, is not the pool's", async () => {
    const other = loopDevice(laboratory);
    makeFileSystem("ext4", other);
    execFileSync("mount", [other, target]);
    mkdirSync(laboratory.path("elsewhere"));
    execFileSync("mount", [device, laboratory.path("elsewhere")]);
    expect(await check(poolOn(device))).toBe(false);
    await stop(poolOn(device));
    expect(mountsOf(other)).toHaveLength(1);
    expect(mountsOf(device)).toHaveLength(1);
  });

  test("what is mounted over a pool hides it", async () => {
    await start(poolOn(device));
    execFileSync("mount", ["-t", "tmpfs", "none", target]);
    expect(await check(poolOn(device))).toBe(false);
    execFileSync("umount", [target]);
    expect(await check(poolOn(device))).toBe(true);
  });

  test("a partition", async () => {
    execFileSync("parted", ["-s", device, "mklabel", "gpt", "mkpart", "p", "1MiB", "200MiB"]);
    execFileSync("losetup", ["--set-capacity", device]);
    execFileSync("partx", ["--update", device]);
    const document = poolOn(`${device}p1`, { format: "ext4" });
    await build(document, OVERWRITE);
    await start(document);
    expect(mountsOf(`${device}p1`)).toHaveLength(1);
    await stop(document);
    expect(mountsOf(`${device}p1`)).toEqual([]);
  });

  test("our own remembered directory keeps nothing busy", async () => {
    const document = poolOn(device);
    await start(document);
    await scan(fileSystemDriver, document, laboratory.host);
    await stop(document);
    expect(mountsOf(device)).toEqual([]);
  });

  test("somebody else in it: libvirt's error for a program that failed, after it was tried again", async () => {
    await start(poolOn(device));
    writeFileSync(`${target}/open`, "");
    const open = openSync(`${target}/open`, "r");
    const began = performance.now();
    expect(await errorOf(stop(poolOn(device)) ?? Promise.reject())).toMatch(
      /^1\/0 internal error: Child process \(.*umount .*\) unexpected exit status 32: umount: .*target is busy/,
    );
    expect(performance.now() - began).toBeGreaterThan(1_500);
    closeSync(open);
    await stop(poolOn(device));
    expect(mountsOf(device)).toEqual([]);
  });

  test("what is busy for a moment is no failure", async () => {
    await start(poolOn(device));
    writeFileSync(`${target}/open`, "");
    const open = openSync(`${target}/open`, "r");
    setTimeout(() => closeSync(open), 400);
    await stop(poolOn(device));
    expect(mountsOf(device)).toEqual([]);
  });
});

describe("failures", () => {
  test("the wrong number of devices", async () => {
    expect(await errorOf(start(poolOn([])) ?? Promise.reject())).toBe("1/18 internal error: missing source device");
    expect(await errorOf(check(poolOn([device, device])))).toContain("67/18 ");
  });

  test("an unknown file system, a missing device, a missing target", async () => {
    const failed = (document: PoolDocument) => errorOf(start(document) ?? Promise.reject());
    mkdirSync(target);
    expect(await failed(poolOn(device))).toMatch(
      /^1\/0 internal error: Child process \(.*\) unexpected exit status 32: /,
    );
    expect(await failed(poolOn("/dev/absent"))).toContain("/dev/absent does not exist");
    makeFileSystem("ext4", device);
    target = laboratory.path("absent");
    expect(await failed(poolOn(device))).toContain("mount point does not exist");
  });

  test("no mount program: what was looked for is said", async () => {
    const host = standIn(laboratory.host, {
      run: (command, options) => laboratory.host.run({ ...command, program: `absent-${command.program}` }, options),
    });
    const started = fileSystemDriver.start?.(poolOn(device), host, laboratory.poolContext) ?? Promise.reject();
    expect(await errorOf(started)).toMatch(/^38\/0 Cannot find 'mount' in path: No such file or directory/);
  });

  test("a mount that was given up when it was done is taken back", async () => {
    makeFileSystem("ext4", device);
    mkdirSync(target);
    const host = standIn(laboratory.host, {
      run: async (command, options) => {
        const result = await laboratory.host.run(command, options);
        if (command.program === "mount") throw Object.assign(new Error("given up"), { code: "ETIMEDOUT" });
        return result;
      },
    });
    await expect(fileSystemDriver.start?.(poolOn(device), host, laboratory.poolContext)).rejects.toThrow();
    expect(mountsOf(device)).toEqual([]);
  });
});
