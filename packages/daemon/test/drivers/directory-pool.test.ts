import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { pool } from "./documents.js";
import { errorOf, Laboratory, scan } from "./laboratory.js";

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

const build = async (definition: ReturnType<typeof pool>, flags = 0) =>
  directoryDriver.build?.(definition, laboratory.host, flags);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe("build", () => {
  test("makes the directory with its parents, 0711", async () => {
    await build(pool("dir", laboratory.path("a", "b", "images")));
    expect(modeOf(laboratory.path("a", "b", "images"))).toBe("711");
    expect(modeOf(laboratory.path("a", "b"))).toBe("755");
  });

  test("gives it the mode and owner of the document", async () => {
    const target = {
      path: laboratory.path("images"),
      permissions: { mode: 0o750, owner: 107, group: 108, label: null },
    };
    await build(pool("dir", null, { target }));
    const { uid, gid } = statSync(laboratory.path("images"));
    expect([modeOf(laboratory.path("images")), uid, gid]).toEqual(["750", 107, 108]);
  });

  test("leaves an existing directory as it is, but for what the document says", async () => {
    mkdirSync(laboratory.path("images"), { mode: 0o700 });
    await build(pool("dir", laboratory.path("images")));
    expect(modeOf(laboratory.path("images"))).toBe("700");
    const permissions = { mode: null, owner: null, group: 109, label: null };
    await build(pool("dir", null, { target: { path: laboratory.path("images"), permissions } }));
    const { uid, gid } = statSync(laboratory.path("images"));
    expect([modeOf(laboratory.path("images")), uid, gid]).toEqual(["700", 0, 109]);
  });

  const rows: [string, number, (path: string) => string][] = [
    ["unknown flags", 1, () => "8/18 unsupported flags (0x1) in function virStorageBackendFileSystemBuild"],
    [
      "OVERWRITE",
      8,
      () => "55/18 Requested operation is not valid: No source device specified when formatting pool 'ep'",
    ],
    [
      "NO_OVERWRITE",
      4,
      () => "55/18 Requested operation is not valid: No source device specified when formatting pool 'ep'",
    ],
    [
      "both",
      12,
      () =>
        "8/18 Flags 'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE' are mutually exclusive",
    ],
  ];
  test.each(rows)("%s", async (_, flags, expected) => {
    const path = laboratory.path("images");
    expect(await errorOf(build(pool("dir", path), flags))).toBe(expected(path));
  });

  test("makes the directory before it says that there is nothing to format", async () => {
    await errorOf(build(pool("dir", laboratory.path("images")), 8));
    expect(existsSync(laboratory.path("images"))).toBe(true);
  });

  test("a relative target", async () => {
    expect(await errorOf(build(pool("dir", "rel/x")))).toBe("8/18 invalid argument: path 'rel/x' is not absolute");
    expect(await errorOf(scan(directoryDriver, pool("dir", "rel/x"), laboratory.host))).toBe(
      "38/0 cannot open directory 'rel/x': No such file or directory",
    );
  });

  test("a parent that is a file", async () => {
    writeFileSync(laboratory.path("file"), "");
    const path = laboratory.path("file", "images");
    const refusal = `38/18 cannot create path '${laboratory.path("file")}': Not a directory`;
    expect(await errorOf(build(pool("dir", path)))).toBe(refusal);
  });

  // As libvirt: the start says what is wrong.
  test("a target that is a file is left to the start", async () => {
    const path = laboratory.path("file");
    writeFileSync(path, "");
    await build(pool("dir", path));
    expect(await errorOf(scan(directoryDriver, pool("dir", path), laboratory.host))).toBe(
      `38/0 cannot open directory '${path}': Not a directory`,
    );
  });

  test("a dangling symlink is in the way", async () => {
    const path = laboratory.path("link");
    symlinkSync("nowhere", path);
    expect(await errorOf(build(pool("dir", path)))).toBe(`38/0 failed to create directory '${path}': File exists`);
  });

  // Both homes of the tests (ext4, tmpfs) have no such flag; only btrfs has it.
  test.each([true, false])("copy on write %s is refused where only btrfs could", async (copyOnWrite) => {
    const path = laboratory.path("images");
    expect(await errorOf(build(pool("dir", path, { copyOnWrite })))).toBe(
      `38/0 unable to control COW flag on '${path}', not btrfs: Function not implemented`,
    );
  });
});

describe("delete", () => {
  test("a directory that is not empty", async () => {
    const path = laboratory.path("images");
    mkdirSync(path);
    writeFileSync(laboratory.path("images", "a"), "");
    const call = directoryDriver.delete?.(pool("dir", path), laboratory.host, 0);
    expect(await errorOf(call ?? Promise.resolve())).toBe(`38/18 failed to remove pool '${path}': Directory not empty`);
  });

  test("flags", async () => {
    const call = directoryDriver.delete?.(pool("dir", laboratory.path("images")), laboratory.host, 1);
    expect(await errorOf(call ?? Promise.resolve())).toBe(
      "8/18 unsupported flags (0x1) in function virStorageBackendDeleteLocal",
    );
  });
});

describe("scan", () => {
  test("a directory that is not there, and one that is a file", async () => {
    const path = laboratory.path("images");
    expect(await errorOf(scan(directoryDriver, pool("dir", path), laboratory.host))).toBe(
      `38/0 cannot open directory '${path}': No such file or directory`,
    );
    writeFileSync(path, "");
    expect(await errorOf(scan(directoryDriver, pool("dir", path), laboratory.host))).toBe(
      `38/0 cannot open directory '${path}': Not a directory`,
    );
  });

  test("the live document takes over the directory's owner and mode", async () => {
    const path = laboratory.path("images");
    mkdirSync(path);
    chmodSync(path, 0o2770);
    const { pool: live } = await scan(directoryDriver, pool("dir", path), laboratory.host);
    expect(live.target.permissions).toEqual({ mode: 0o770, owner: 0, group: 0, label: null });
  });

  test("a symlink as target leads where it points", async () => {
    mkdirSync(laboratory.path("real"));
    writeFileSync(laboratory.path("real", "a"), "12");
    symlinkSync("real", laboratory.path("images"));
    const { volumes } = await scan(directoryDriver, pool("dir", laboratory.path("images")), laboratory.host);
    expect(volumes.map(({ document }) => document.key)).toEqual([laboratory.path("images", "a")]);
  });
});
