import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { VolumeDocument, VolumeEncryption } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { qemuImg } from "../images/shared.js";
import { pool, volume, volumeIn, type Wanted } from "./documents.js";
import { create, errorOf, Laboratory, scan } from "./laboratory.js";
import { standIn } from "./stand-in.js";

let laboratory: Laboratory;
let images: string;
beforeEach(() => {
  laboratory = new Laboratory();
  images = laboratory.path("images");
  mkdirSync(images);
});
afterEach(() => laboratory.close());

const MiB = 1_048_576n;
const LUKS_SECRET = "2ec115d7-3a88-3ceb-bc12-0ac909a6fd87";
const at = (name: string): string => laboratory.path("images", name);
const definition = () => pool("dir", images);
const make = async (name: string, wanted: Wanted, more: { source?: VolumeDocument; flags?: number } = {}) =>
  create(directoryDriver, definition(), volume(name, wanted), await laboratory.context(), more);
const info = (name: string) => JSON.parse(qemuImg("info", "--output=json", at(name)));

function luks(more: Partial<VolumeEncryption> = {}): VolumeEncryption {
  const secrets = [{ type: "passphrase", lookup: { uuid: LUKS_SECRET } }] as const;
  return { format: "luks", engine: null, secrets, cipher: null, ivgen: null, ...more };
}

describe("what libvirt 9.0.0 makes of a document, made the same", () => {
  const rows: [string, Wanted, { capacity: bigint; allocation: bigint; flags?: number; mode?: number }][] = [
    ["plain", {}, { capacity: MiB, allocation: MiB }],
    ["cap0", { capacityBytes: 0n }, { capacity: 0n, allocation: 0n }],
    ["cap odd", { capacityBytes: 1_000n }, { capacity: 1_000n, allocation: 4_096n }],
    ["cap MB", { capacityBytes: 1_000_000n }, { capacity: 1_000_000n, allocation: 1_003_520n }],
    ["alloc half", { allocationBytes: 524_288n }, { capacity: MiB, allocation: 524_288n }],
    [
      "alloc>cap",
      { capacityBytes: 10n, allocationBytes: 1_000_000n },
      { capacity: 1_000_000n, allocation: 1_003_520n },
    ],
    ["sparse", { allocationBytes: 0n }, { capacity: MiB, allocation: 0n }],
    ["mode 644", { mode: 0o644 }, { capacity: MiB, allocation: MiB, mode: 0o644 }],
    ["compat raw", { compat: "1.1", features: ["lazy_refcounts"] }, { capacity: MiB, allocation: MiB }],
    ["qcow2 plain", { format: "qcow2" }, { capacity: MiB, allocation: 200_704n }],
    ["clusterSize", { format: "qcow2", clusterSizeBytes: 131_072n }, { capacity: MiB, allocation: 397_312n }],
    ["lazy", { format: "qcow2", compat: "1.1", features: ["lazy_refcounts"] }, { capacity: MiB, allocation: 200_704n }],
    ["extl2", { format: "qcow2", compat: "1.1", features: ["extended_l2"] }, { capacity: MiB, allocation: 200_704n }],
    ["nocow", { format: "qcow2", noCopyOnWrite: true }, { capacity: MiB, allocation: 200_704n }],
    ["qcow", { format: "qcow" }, { capacity: MiB, allocation: 4_096n }],
    ["vmdk", { format: "vmdk" }, { capacity: MiB, allocation: 12_288n }],
    ["vdi", { format: "vdi" }, { capacity: MiB, allocation: 4_096n }],
    ["vpc", { format: "vpc" }, { capacity: 1_079_296n, allocation: 4_096n }],
    ["qed", { format: "qed" }, { capacity: MiB, allocation: 266_240n }],
    ["iso", { format: "iso" }, { capacity: MiB, allocation: 4_096n }],
    ["prealloc qcow2", { format: "qcow2" }, { capacity: MiB, allocation: 1_314_816n, flags: 1 }],
    ["prealloc alloc0", { format: "qcow2", allocationBytes: 0n }, { capacity: MiB, allocation: 266_240n, flags: 1 }],
  ];
  test.each(rows)("%s", async (name, wanted, expected) => {
    const made = await make(name, wanted, { flags: expected.flags ?? 0 });
    expect(made).toMatchObject({
      type: "file",
      capacityBytes: expected.capacity,
      allocationBytes: expected.allocation,
      target: {
        format: wanted.format ?? "raw",
        permissions: { mode: expected.mode ?? 0o600 },
        // Until the next scan the document says what was asked for.
        compat: wanted.compat ?? null,
        features: wanted.features ?? null,
        clusterSizeBytes: wanted.clusterSizeBytes ?? 0n,
      },
    });
  });

  test("version and features of qcow2 are those asked for, version 2 when none are", async () => {
    await make("old", { format: "qcow2" });
    await make("new", { format: "qcow2", compat: "1.1", features: ["lazy_refcounts"] });
    expect(info("old")["format-specific"].data.compat).toBe("0.10");
    expect(info("new")["format-specific"].data).toMatchObject({ compat: "1.1", "lazy-refcounts": true });
  });

  test("an empty qcow2 takes no program, other images do", async () => {
    const run = vi.spyOn(laboratory.host, "run");
    const base = await make("base", { format: "qcow2", compat: "1.1", features: ["lazy_refcounts"] });
    await make("overlay", { format: "qcow2", backing: { path: at("base"), format: "qcow2" } });
    await make("mapped", { format: "qcow2", noCopyOnWrite: true }, { flags: 1 });
    expect(run).not.toHaveBeenCalled();
    await make("clone", { format: "qcow2" }, { source: base });
    await make("vdi", { format: "vdi" });
    expect(run).toHaveBeenCalledTimes(2);
  });

  test("a vmdk names its own extent", async () => {
    await make("a.vmdk", { format: "vmdk" });
    expect(readFileSync(at("a.vmdk"), "latin1")).toContain('RW 2048 SPARSE "a.vmdk"');
    qemuImg("check", at("a.vmdk"));
  });

  test("owner and group", async () => {
    for (const format of ["raw", "qcow2", "dir"]) {
      await make(format, { format, owner: 107, group: 108, mode: 0o640 });
      const { uid, gid, mode } = statSync(at(format));
      expect([uid, gid, mode & 0o777]).toEqual([107, 108, 0o640]);
    }
  });

  test("a directory", async () => {
    expect(await make("dd", { format: "dir" })).toMatchObject({
      type: "dir",
      capacityBytes: 0n,
      allocationBytes: 0n,
      target: { format: "dir", permissions: { mode: 0o600 } },
    });
  });

  test("mode 0 can be made, too", async () => {
    await make("q", { format: "qcow2", mode: 0 });
    expect(statSync(at("q")).mode & 0o777).toBe(0);
  });
});

describe("overlays", () => {
  test("absolute, relative, and without a capacity of their own", async () => {
    await make("base", { format: "qcow2", capacityBytes: 2n * MiB });
    const backing = (path: string) => ({ format: "qcow2", backing: { path, format: "qcow2" } });
    const absolute = await make("absolute", backing(at("base")));
    expect(absolute.backingStore).toMatchObject({ path: at("base"), format: "qcow2", permissions: { mode: 0o600 } });
    const relative = await make("relative", backing("base"));
    expect(relative.backingStore).toMatchObject({ path: "base", permissions: { mode: null } });
    expect(info("relative")).toMatchObject({ "backing-filename": "base", "full-backing-filename": at("base") });
    for (const path of [at("base"), "base"]) {
      const name = `nocap-${path.startsWith("/")}`;
      expect(await make(name, { ...backing(path), capacityBytes: 0n })).toMatchObject({ capacityBytes: 2n * MiB });
    }
    const { volumes } = await scan(directoryDriver, definition(), laboratory.host);
    const found = volumes.find(({ document }) => document.name === "relative");
    expect(found?.document.backingStore?.path).toBe(at("base"));
  });

  test("over a device that is no file, which libvirt's documents name", async () => {
    const wanted = { format: "qcow2", capacityBytes: 0n, mode: 0o644, backing: { path: "/dev/null", format: "raw" } };
    const made = await make("null", wanted);
    expect(made).toMatchObject({ capacityBytes: 196_608n, allocationBytes: 196_608n });
    expect(made.backingStore).toMatchObject({ path: "/dev/null", permissions: { mode: null }, timestamps: null });
  });

  describe("what is no storage is refused without being opened", () => {
    const rows: [string, (name: string) => void][] = [
      ["a FIFO", (name) => execFileSync("mkfifo", [at(name)])],
      ["a symlink to a character device", (name) => symlinkSync("/dev/zero", at(name))],
      [
        "a socket",
        (name) => execFileSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind("${at(name)}")`]),
      ],
    ];
    test.each(rows)("%s", async (_, put) => {
      put("base");
      const open = vi.spyOn(laboratory.host, "openFile");
      const run = vi.spyOn(laboratory.host, "run").mockRejectedValue(new Error("a program was run"));
      for (const path of ["base", at("base")]) {
        for (const format of ["raw", "qcow2"]) {
          const making = make("overlay", { format: "qcow2", backing: { path, format } });
          expect(await errorOf(making)).toBe(`38/18 inaccessible backing store volume ${path}: Invalid argument`);
        }
      }
      expect([open.mock.calls, run.mock.calls]).toEqual([[], []]);
      expect(readdirSync(images)).toEqual(["base"]);
    });

    test("and who writes to a FIFO loses nothing", async () => {
      execFileSync("mkfifo", [at("fifo")]);
      const writer = spawn("sh", ["-c", `echo data > '${at("fifo")}'`]);
      const ended = once(writer, "close");
      const making = make("overlay", { format: "qcow2", backing: { path: "fifo", format: "raw" } });
      expect(await errorOf(making)).toMatch(/^38\/18 inaccessible backing store volume fifo: /);
      expect(execFileSync("timeout", ["10", "cat", at("fifo")], { encoding: "utf8" })).toBe("data\n");
      await ended;
    });
  });
});

describe("refusals, as recorded", () => {
  const noSecret = "11111111-2222-3333-4444-555555555555";
  const unknown = luks({ secrets: [{ type: "passphrase", lookup: { uuid: noSecret } }] });
  const byUsage = luks({ secrets: [{ type: "passphrase", lookup: { usage: "/a/b" } }] });
  const single =
    "8/18 invalid argument: A single <secret type='passphrase'...> element is expected in encryption description";
  const rows: [string, Wanted, string, number?][] = [
    [
      "compat of vmdk",
      { format: "vmdk", compat: "1.1" },
      "67/18 unsupported configuration: compatibility option only available with qcow2",
    ],
    [
      "lazy 0.10",
      { format: "qcow2", compat: "0.10", features: ["lazy_refcounts"] },
      "67/18 unsupported configuration: lazy_refcounts not supported with compat level 0.10",
    ],
    [
      "extl2 0.10",
      { format: "qcow2", compat: "0.10", features: ["extended_l2"] },
      "67/18 unsupported configuration: 'extended_l2' not supported with compat level 0.10",
    ],
    ["enc default raw", { encryption: luks({ format: "default", secrets: [] }) }, single],
    ["enc qcow qcow2", { format: "qcow2", encryption: luks({ format: "qcow", secrets: [] }) }, single],
    ["enc luks nosec", { encryption: luks({ secrets: [] }) }, single],
    [
      "enc luks vmdk",
      { format: "vmdk", encryption: unknown },
      `66/30 Secret not found: no secret with matching uuid '${noSecret}'`,
    ],
    ["enc luks missing usage", { encryption: byUsage }, "66/30 Secret not found: no secret with matching usage '/a/b'"],
    [
      "enc vmdk",
      { format: "vmdk", encryption: luks() },
      "67/18 unsupported configuration: volume encryption unsupported with format vmdk",
    ],
    [
      "backing raw",
      { backing: { path: "/b", format: "raw" } },
      "3/18 this function is not supported by the connection driver: backing storage not supported for raw volumes",
    ],
    [
      "backing missing",
      { format: "qcow2", backing: { path: "/nope", format: "raw" } },
      "38/18 inaccessible backing store volume /nope: No such file or directory",
    ],
    [
      "backing rel missing",
      { format: "qcow2", backing: { path: "nope", format: "raw" } },
      "38/18 inaccessible backing store volume nope: No such file or directory",
    ],
    [
      "clusterSize odd",
      { format: "qcow2", clusterSizeBytes: 1_000n },
      "1/0 internal error: Child process (/usr/bin/qemu-img create -f qcow2 -o compat=0.10,cluster_size=1000 @/x 1024K) unexpected exit status 1: qemu-img: @/x: Cluster size must be a power of two between 512 and 2048k\n",
    ],
    ["huge", { capacityBytes: 1n << 62n, allocationBytes: 0n }, "38/18 cannot extend file '@/x': File too large"],
    [
      "huge alloc",
      { capacityBytes: 1n << 42n, allocationBytes: 1n << 42n },
      "38/18 cannot allocate 4398046511104 bytes in file '@/x' (4398046511104 bytes needed, N bytes free): No space left on device",
    ],
    [
      "dir backing",
      { format: "dir", backing: { path: "/b", format: "raw" } },
      "3/18 this function is not supported by the connection driver: backing storage not supported for directories volumes",
    ],
    ["ploop", { format: "ploop" }, "1/18 internal error: unable to find ploop, please install ploop tools"],
    [
      "bochs",
      { format: "bochs" },
      "1/0 internal error: Child process (/usr/bin/qemu-img create -f bochs @/x 1024K) unexpected exit status 1: qemu-img: @/x: Format driver 'bochs' does not support image creation\n",
    ],
    [
      "cow",
      { format: "cow" },
      "1/0 internal error: Child process (/usr/bin/qemu-img create -f cow @/x 1024K) unexpected exit status 1: qemu-img: @/x: Unknown file format 'cow'\n",
    ],
    [
      "fat",
      { format: "fat" },
      "1/0 internal error: Child process (/usr/bin/qemu-img create -f fat @/x 1024K) unexpected exit status 1: qemu-img: @/x: Unknown file format 'fat'\n",
    ],
    ["nocow", { noCopyOnWrite: true }, "38/0 unable to control COW flag on '@/x', not btrfs: Function not implemented"],
    ["prealloc raw", {}, "67/18 unsupported configuration: metadata preallocation is not supported for raw volumes", 1],
    [
      "prealloc vmdk",
      { format: "vmdk" },
      "67/18 unsupported configuration: metadata preallocation only available with qcow2",
      1,
    ],
    [
      "prealloc backing",
      { format: "qcow2", backing: { path: "/dev/null", format: "raw" } },
      "67/18 unsupported configuration: metadata preallocation conflicts with backing store",
      1,
    ],
    ["reflink qcow2", { format: "qcow2" }, "8/18 unsupported flags (0x2) in function storageBackendCreateQemuImg", 2],
  ];
  test.each(rows)("%s", async (_, wanted, expected, flags = 0) => {
    laboratory.secrets.set(LUKS_SECRET, "sesame");
    const error = (await errorOf(make("x", wanted, { flags }))).replaceAll(images, "@");
    expect(error.replace(/\d+ bytes free/, "N bytes free")).toBe(expected);
    expect(readdirSync(images)).toEqual([]);
    expect(readdirSync(laboratory.path("private"))).toEqual([]);
  });

  test("names", async () => {
    expect(await errorOf(make("a/b", {}))).toBe(
      "55/18 Requested operation is not valid: volume name 'a/b' cannot contain '/'",
    );
    for (const name of [".cistern-0123456789abcdef.part", ".cistern-new-0123456789abcdef"]) {
      expect(await errorOf(make(name, {}))).toBe(
        `55/18 Requested operation is not valid: volume name '${name}' is one of files that are being made`,
      );
    }
    writeFileSync(at("ondisk"), "");
    for (const name of ["ondisk", ".", ".."]) {
      const text = `volume target path '${images}/${name}' already exists`;
      expect(await errorOf(make(name, {}))).toBe(`55/18 Requested operation is not valid: ${text}`);
    }
    const long = "x".repeat(256);
    const tooLong = `38/18 Failed to create file '${at(long)}': File name too long`;
    expect(await errorOf(make(long, {}))).toBe(tooLong);
    // And before anything is copied.
    const source = await make("source", {});
    laboratory.progress.length = 0;
    const context = await laboratory.context();
    expect(await errorOf(create(directoryDriver, definition(), volume(long, {}), context, { source }))).toBe(tooLong);
    expect(laboratory.progress).toEqual([]);
  });
});

describe("nobody can slip something in between", () => {
  test.each(["raw", "qcow2"])(
    "a symlink in the place of a new %s volume is not followed, nor removed",
    async (format) => {
      const context = await laboratory.context();
      const document = await directoryDriver.volumes?.allocate?.(definition(), volume("v", { format }), context);
      writeFileSync(laboratory.path("precious"), "precious");
      symlinkSync(laboratory.path("precious"), at("v"));
      if (document === undefined) throw new Error("not allocated");
      const filling = directoryDriver.volumes?.fill?.(definition(), document, null, 0, context);
      expect(await errorOf(filling ?? Promise.resolve())).toBe(
        `55/18 Requested operation is not valid: volume target path '${at("v")}' already exists`,
      );
      expect(readFileSync(laboratory.path("precious"), "utf8")).toBe("precious");
      expect(existsSync(at("v"))).toBe(true);
    },
  );

  test.each(["raw", "qcow2"])(
    "a symlink that leads nowhere in the place of a new %s volume is not followed",
    async (format) => {
      symlinkSync(laboratory.path("nowhere"), at("v"));
      expect(await errorOf(make("v", { format, allocationBytes: 0n }))).toBe(
        `38/18 Failed to create file '${at("v")}': File exists`,
      );
      expect(existsSync(laboratory.path("nowhere"))).toBe(false);
    },
  );
});

describe("clones", () => {
  const seen = async (name: string): Promise<VolumeDocument> => {
    const found = { document: volumeIn(images, name), evidence: null };
    const again = await directoryDriver.volumes?.refresh?.(definition(), found, true, laboratory.host);
    if (again === undefined) throw new Error("no refresh");
    return again.document;
  };
  const source = (name: string, content: Uint8Array): Promise<VolumeDocument> => {
    writeFileSync(at(name), content);
    return seen(name);
  };

  test("raw to raw: byte for byte, with progress; holes stay holes where that was asked for", async () => {
    const content = Buffer.alloc(Number(4n * MiB));
    content.fill("data", 0, 65_536);
    content.fill("end", 4_000_000);
    // Only what is not zero is written: the rest is holes.
    writeFileSync(at("source"), content.subarray(0, 65_536));
    truncateSync(at("source"), content.length);
    const end = openSync(at("source"), "r+");
    writeSync(end, content, 4_000_000, content.length - 4_000_000, 4_000_000);
    closeSync(end);
    const from = await seen("source");
    const sparse = await make("sparse", { capacityBytes: 4n * MiB, allocationBytes: 0n }, { source: from });
    expect(readFileSync(at("sparse")).equals(content)).toBe(true);
    expect(sparse.allocationBytes).toBeLessThan(MiB);
    const [done, total] = laboratory.progress.at(-1) ?? [0n, 1n];
    expect(done).toBe(total);
    expect(total).toBeLessThan(MiB);
    const some = await make("some", { capacityBytes: 4n * MiB, allocationBytes: 2n * MiB }, { source: from });
    expect(some.allocationBytes).toBeLessThan(MiB);
    const full = await make("full", { capacityBytes: 5n * MiB }, { source: from });
    expect(full).toMatchObject({ capacityBytes: 5n * MiB, allocationBytes: 5n * MiB });
    expect(readFileSync(at("full")).subarray(0, content.length).equals(content)).toBe(true);
  });

  test("is no longer than its source, of which the file system's own bookkeeping counts as allocation", async () => {
    const content = Buffer.alloc(Number(MiB), "disk");
    const sizes = { capacityBytes: MiB, allocationBytes: MiB + 4_096n };
    const copy = await make("copy", sizes, { source: await source("source", content) });
    expect(copy.capacityBytes).toBe(MiB);
    expect(readFileSync(at("copy")).equals(content)).toBe(true);
  });

  test("raw to qcow2 and back, through an overlay", async () => {
    const content = Buffer.alloc(Number(MiB), "guest ");
    await make("disk.qcow2", { format: "qcow2" }, { source: await source("source", content) });
    expect(info("disk.qcow2")).toMatchObject({ format: "qcow2", "virtual-size": Number(MiB) });
    await make("overlay", { format: "qcow2", backing: { path: "disk.qcow2", format: "qcow2" } });
    await make("flat", { capacityBytes: MiB }, { source: await seen("overlay") });
    expect(readFileSync(at("flat")).equals(content)).toBe(true);
  });

  test("refusals leave nothing behind", async () => {
    const from = await source("source", Buffer.alloc(4_096, 1));
    const reflink = errorOf(make("x", {}, { source: from, flags: 2 }));
    expect(await reflink).toBe(`38/18 failed to clone files from '${at("source")}': Operation not supported`);
    expect(await errorOf(make("x", { format: "dir" }, { source: from }))).toBe(
      "1/18 internal error: cannot copy from volume to a directory volume",
    );
    const backing = { format: "qcow2", backing: { path: "/dev/null", format: "raw" } };
    const backed = { ...from, backingStore: { ...from.target, path: at("source"), format: "raw" } };
    expect(await errorOf(make("x", backing, { source: backed }))).toBe(
      "1/18 internal error: a different backing store cannot be specified.",
    );
    const gone = { ...from, name: "gone", target: { ...from.target, path: at("gone") } };
    expect(await errorOf(make("x", {}, { source: gone }))).toBe(
      `38/18 could not open input path '${at("gone")}': No such file or directory`,
    );
    expect(readdirSync(images)).toEqual(["source"]);
  });

  test("a clone that is given up in the middle leaves nothing", async () => {
    const from = await source("source", new Uint8Array());
    execFileSync("fallocate", ["-l", "256M", at("source")]);
    const context = await laboratory.context();
    const job = standIn(context.job, { progress: () => laboratory.abort() });
    const big = { ...from, capacityBytes: 256n * MiB };
    const filling = create(
      directoryDriver,
      definition(),
      volume("x", { allocationBytes: 0n }),
      { ...context, job },
      {
        source: big,
      },
    );
    expect(await errorOf(filling)).toMatch(/^78\/18 operation aborted: /);
    expect(readdirSync(images)).toEqual(["source"]);
  });
});
