import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { FoundVolume } from "../../dist/drivers/driver.js";
import { qemuImg } from "../images/shared.js";
import { pool } from "./documents.js";
import { Laboratory, scan } from "./laboratory.js";

let laboratory: Laboratory;
let images: string;
beforeEach(() => {
  laboratory = new Laboratory();
  images = laboratory.path("images");
  mkdirSync(images);
});
afterEach(() => laboratory.close());

const at = (name: string): string => laboratory.path("images", name);

/** What was changed a moment ago is not trusted. */
const settled = (): Promise<void> => delay(50);

async function found(before: readonly FoundVolume[] = []): Promise<Map<string, VolumeDocument>> {
  const { volumes } = await scan(directoryDriver, pool("dir", images), laboratory.host, before);
  return new Map(volumes.map(({ document }) => [document.name, document]));
}

describe("entries", () => {
  test("files, hidden ones too, directories and symlinks to files are volumes; sizes are the kernel's", async () => {
    writeFileSync(at("text"), "12");
    writeFileSync(at(".hidden"), "");
    truncateSync(at(".hidden"), 1_048_576);
    mkdirSync(at("sub"));
    symlinkSync("text", at("ln"));
    const volumes = await found();
    expect([...volumes.keys()].sort()).toEqual([".hidden", "ln", "sub", "text"]);
    expect(volumes.get("text")).toMatchObject({
      type: "file",
      key: at("text"),
      capacityBytes: 2n,
      allocationBytes: BigInt(statSync(at("text")).blocks) * 512n,
      physicalBytes: 2n,
      target: { path: at("text"), format: "raw", permissions: { mode: 0o644, owner: 0, group: 0, label: null } },
    });
    expect(volumes.get(".hidden")).toMatchObject({ capacityBytes: 1_048_576n, allocationBytes: 0n });
    expect(volumes.get("ln")).toMatchObject({ type: "file", capacityBytes: 2n });
    expect(volumes.get("sub")).toMatchObject({
      type: "dir",
      capacityBytes: 0n,
      allocationBytes: 0n,
      physicalBytes: 0n,
      target: { format: "dir", permissions: { mode: 0o755 } },
    });
  });

  test("times to the nanosecond; none of birth", async () => {
    writeFileSync(at("a"), "");
    const { target } = (await found()).get("a") ?? {};
    const { mtimeNs, ctimeNs } = statSync(at("a"), { bigint: true });
    expect(target?.timestamps).toMatchObject({ modificationNs: mtimeNs, changeNs: ctimeNs, birthNs: 0n });
  });

  test("what cannot be a volume is passed over", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    execFileSync("mknod", [at("character"), "c", "1", "3"]);
    symlinkSync("nowhere", at("dangling"));
    symlinkSync("loop", at("loop"));
    writeFileSync(Buffer.concat([Buffer.from(`${images}/`), Buffer.of(0x01)]), "");
    const server = createServer().listen(at("socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect([...(await found()).keys()]).toEqual([]);
    server.close();
  });

  test("a name that is not UTF-8, and one with a newline", async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${images}/`), Buffer.of(0x61, 0xff)]), "");
    writeFileSync(at("two\nlines"), "");
    expect([...(await found()).keys()].sort()).toEqual(["a\udcff", "two\nlines"]);
  });

  test("a block device is a file with the size of the device", async () => {
    execFileSync("mknod", [at("block"), "b", "259", "4095"]);
    // No such device: opening it says ENXIO, which is no reason to give up the pool.
    expect([...(await found()).keys()]).toEqual([]);
  });

  test("a directory with the two files of a ploop image is one", async () => {
    mkdirSync(at("ct"));
    const header = Buffer.alloc(64);
    header.write("WithouFreSpacExt");
    header.writeBigUInt64LE(2_048n, 36);
    writeFileSync(laboratory.path("images", "ct", "root.hds"), header);
    writeFileSync(laboratory.path("images", "ct", "DiskDescriptor.xml"), "");
    expect((await found()).get("ct")).toMatchObject({
      type: "ploop",
      capacityBytes: 1_048_576n,
      target: { format: "ploop", path: at("ct") },
    });
  });
});

describe("images", () => {
  test("qcow2 as libvirt shows it", async () => {
    qemuImg("create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", at("a.qcow2"), "1M");
    expect((await found()).get("a.qcow2")).toMatchObject({
      capacityBytes: 1_048_576n,
      target: { format: "qcow2", compat: "1.1", clusterSizeBytes: 65_536n, features: ["lazy_refcounts"] },
      backingStore: null,
    });
  });

  test("a header that needs a second look gets one", async () => {
    qemuImg("create", "-q", "-f", "vmdk", at("a.vmdk"), "1M");
    const far = `/${"far/".repeat(250)}`;
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", far, "-F", "raw", at("far.qcow2"), "1M");
    const volumes = await found();
    expect(volumes.get("a.vmdk")).toMatchObject({ capacityBytes: 1_048_576n, target: { format: "vmdk" } });
    expect(volumes.get("far.qcow2")?.backingStore?.path).toBe(far);
  });

  test("encryption is seen, without its secret", async () => {
    const key = ["--object", "secret,id=k,data=x", "-o", "key-secret=k,iter-time=10"];
    qemuImg("create", "-q", "-f", "luks", ...key, at("luks"), "1M");
    expect((await found()).get("luks")).toMatchObject({
      capacityBytes: 1_048_576n,
      target: { format: "raw", encryption: { format: "luks", secrets: [] } },
    });
  });

  test("a damaged header does no harm to the others", async () => {
    const header = Buffer.alloc(4_096, 0xff);
    header.write("QFI\xfb", "latin1");
    header.writeUInt32BE(3, 4);
    writeFileSync(at("damaged"), header);
    writeFileSync(at("good"), "");
    expect([...(await found()).keys()].sort()).toEqual(["damaged", "good"]);
  });
});

describe("backing stores", () => {
  test("one in the pool shows its owner and times, a missing one nothing", async () => {
    qemuImg("create", "-q", "-f", "qcow2", at("base"), "1M");
    chmodSync(at("base"), 0o600);
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", at("rel.qcow2"));
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "missing.raw", "-F", "raw", at("miss.qcow2"), "1M");
    const volumes = await found();
    const { mtimeNs } = statSync(at("base"), { bigint: true });
    expect(volumes.get("rel.qcow2")?.backingStore).toMatchObject({
      path: at("base"),
      format: "qcow2",
      permissions: { mode: 0o600, owner: 0, group: 0 },
      timestamps: { modificationNs: mtimeNs },
    });
    expect(volumes.get("miss.qcow2")?.backingStore).toMatchObject({
      path: at("missing.raw"),
      format: "raw",
      permissions: { mode: null, owner: null, group: null },
      timestamps: null,
    });
  });

  test("one elsewhere is opened; its format is found out where the image does not declare it", async () => {
    const base = laboratory.path("base.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", base, "1M");
    // qcow has no place to declare it.
    qemuImg("create", "-q", "-f", "qcow", "-b", base, "-F", "qcow2", at("overlay.qcow"));
    await settled();
    const [first] = (await scan(directoryDriver, pool("dir", images), laboratory.host)).volumes;
    expect(first?.document.backingStore).toMatchObject({ path: base, format: "qcow2", permissions: { mode: 0o644 } });
    expect(first?.evidence).toBeNull();
    unlinkSync(base);
    expect((await found(first === undefined ? [] : [first])).get("overlay.qcow")?.backingStore?.format).toBe("raw");
  });

  test("a device without content and a remote one are shown as they stand", async () => {
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/dev/null", "-F", "raw", at("null"), "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "nbd://host/x", "-F", "qcow2", at("nbd"), "1M");
    const volumes = await found();
    const unknown = { permissions: { mode: null }, timestamps: null };
    expect(volumes.get("null")?.backingStore).toMatchObject({ path: "/dev/null", format: "raw", ...unknown });
    expect(volumes.get("nbd")?.backingStore).toMatchObject({ path: "nbd://host/x", format: "raw", ...unknown });
  });
});

describe("a second scan", () => {
  test("takes over what was not touched, with new access times and backing stores", async () => {
    qemuImg("create", "-q", "-f", "qcow2", at("base"), "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", at("overlay"));
    await settled();
    const first = await scan(directoryDriver, pool("dir", images), laboratory.host);
    expect(first.volumes.every(({ evidence }) => evidence !== null)).toBe(true);
    const { mtime } = statSync(at("overlay"));
    utimesSync(at("base"), new Date(1_000), new Date(2_000));
    const second = await found(first.volumes);
    expect(second.get("base")?.target.timestamps).toMatchObject({
      accessNs: 1_000_000_000n,
      modificationNs: 2_000_000_000n,
    });
    expect(second.get("overlay")?.backingStore?.timestamps?.modificationNs).toBe(2_000_000_000n);
    expect(statSync(at("overlay")).mtime).toEqual(mtime);
    unlinkSync(at("base"));
    const third = await found(first.volumes);
    expect(third.get("overlay")?.backingStore).toMatchObject({
      format: "qcow2",
      permissions: { mode: null },
      timestamps: null,
    });
  });

  test("sees a file that was rewritten in place", async () => {
    writeFileSync(at("a"), "x".repeat(4_096));
    await settled();
    const { volumes } = await scan(directoryDriver, pool("dir", images), laboratory.host);
    const header = Buffer.alloc(4_096);
    header.write("QFI\xfb", "latin1");
    header.writeUInt32BE(2, 4);
    header.writeBigUInt64BE(77n, 24);
    writeFileSync(at("a"), header);
    expect((await found(volumes)).get("a")).toMatchObject({ capacityBytes: 77n, target: { format: "qcow2" } });
  });

  test("does not believe evidence of another target", async () => {
    writeFileSync(at("a"), "");
    await settled();
    const { volumes } = await scan(directoryDriver, pool("dir", images), laboratory.host);
    const elsewhere = laboratory.path("other");
    symlinkSync("images", elsewhere);
    const moved = await scan(directoryDriver, pool("dir", elsewhere), laboratory.host, volumes);
    expect(moved.volumes[0]?.document.target.path).toBe(`${elsewhere}/a`);
  });
});
