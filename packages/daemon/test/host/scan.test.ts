import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import { attachLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import type { Directory, ScanEvidence, ScannedEntry, ScanRequest } from "../../dist/host/index.js";
import { hostLimits } from "../../dist/host/index.js";
import { codeOf, openBelow, scratchDirectory, testHosts, text } from "./support.ts";

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

const plain: ScanRequest = { headBytes: 64, windows: [] };

async function scan(request: ScanRequest = plain): Promise<Map<string, ScannedEntry>> {
  const entries = new Map<string, ScannedEntry>();
  for await (const batch of directory.scan(request)) for (const entry of batch) entries.set(entry.name, entry);
  return entries;
}

function evidenceOf(entries: ReadonlyMap<string, ScannedEntry>): Map<string, ScanEvidence> {
  return new Map(
    [...entries].flatMap(([name, { evidence }]) => (evidence === null ? [] : [[name, evidence] as const])),
  );
}

/** Until a change made now is old enough to be told from later ones. */
async function settle(): Promise<void> {
  await delay(Number(hostLimits.evidenceAgeNs / 1_000_000n) + 20);
}

/** A qcow2 file as qemu-img makes it: a header, and sparse tables. */
function writeImages(count: number): void {
  const header = Buffer.alloc(512);
  header.write("QFI\xfb", "latin1");
  for (let index = 0; index < count; index += 1) {
    const fd = openSync(`${path}/image-${index}.qcow2`, "w");
    writeSync(fd, header);
    ftruncateSync(fd, 196_608);
    closeSync(fd);
  }
}

describe("a scan", () => {
  it("gives of every entry what stat says, and the first bytes", async () => {
    writeFileSync(`${path}/small`, "abc");
    writeFileSync(`${path}/zeros`, Buffer.alloc(1_000));
    writeFileSync(`${path}/padded`, Buffer.concat([Buffer.from("head"), Buffer.alloc(5_000)]), { mode: 0o600 });
    writeFileSync(Buffer.from(`${path}/\xff\xfe`, "latin1"), "odd name");
    writeFileSync(`${path}/with\nnewline`, "");
    mkdirSync(`${path}/directory`, 0o2711);
    utimesSync(`${path}/small`, 1, 4_000_000_000);
    const entries = await scan();
    expect([...entries.keys()].sort()).toEqual(
      ["directory", "padded", "small", "with\nnewline", "zeros", "\udcff\udcfe"].sort(),
    );
    for (const [name, entry] of entries) expect(entry.facts).toEqual(await directory.lookup(name));
    const heads = [...entries].map(([name, { head }]) => [name, head === null ? null : text(head)]);
    expect(Object.fromEntries(heads)).toEqual({
      directory: null,
      padded: "head",
      small: "abc",
      "with\nnewline": "",
      zeros: "",
      "\udcff\udcfe": "odd name",
    });
  });

  it("gives windows as they are, cut off at the end of the file", async () => {
    const content = Buffer.alloc(40_000);
    content.write("CD001", 32_769);
    writeFileSync(`${path}/disc.iso`, content);
    writeFileSync(`${path}/short`, "0123456789");
    const windows = [
      { offset: 32_769, length: 5 },
      { offset: 8, length: 4 },
    ];
    const entries = await scan({ headBytes: 4, windows });
    expect(entries.get("disc.iso")?.windows.map(text)).toEqual(["CD001", "\0\0\0\0"]);
    expect(entries.get("short")?.windows.map(text)).toEqual(["", "89"]);
    expect(text(entries.get("short")?.head ?? new Uint8Array())).toBe("0123");
  });

  it("follows symlinks, and says why an entry cannot be used", async () => {
    writeFileSync(`${path}/file`, "content");
    symlinkSync("file", `${path}/link`);
    symlinkSync("nowhere", `${path}/dangling`);
    symlinkSync("loop", `${path}/loop`);
    mkdirSync(`${path}/directory`);
    symlinkSync("directory", `${path}/link-to-directory`);
    const entries = await scan();
    expect(entries.get("link")).toMatchObject({
      isSymlink: true,
      errno: 0,
      evidence: null,
      facts: { kind: "file", sizeBytes: 7n },
    });
    expect(text(entries.get("link")?.head ?? new Uint8Array())).toBe("content");
    expect(entries.get("link-to-directory")).toMatchObject({
      isSymlink: true,
      facts: { kind: "directory" },
      head: null,
    });
    expect(entries.get("dangling")).toMatchObject({ isSymlink: true, facts: null, errno: 2 });
    expect(entries.get("loop")).toMatchObject({ isSymlink: true, facts: null, errno: 40 });
  });

  it("gives facts alone of FIFOs, sockets and character devices, without opening them", async (context) => {
    context.skip(process.getuid?.() !== 0, "needs root to make device nodes");
    execFileSync("mkfifo", [`${path}/fifo`]);
    execFileSync("mknod", [`${path}/null`, "c", "1", "3"]);
    // No driver has this number: opening it would be ENXIO.
    execFileSync("mknod", [`${path}/no-such-device`, "b", "250", "250"]);
    const server = createServer().listen(`${path}/socket`);
    const entries = await scan();
    await new Promise((resolve) => server.close(resolve));
    for (const [name, kind] of [
      ["fifo", "fifo"],
      ["null", "character"],
      ["socket", "socket"],
    ] as const) {
      expect(entries.get(name)).toMatchObject({ facts: { kind }, head: null, errno: 0, evidence: null });
    }
    expect(entries.get("no-such-device")).toMatchObject({ facts: null, errno: 6 });
  });

  it("gives the size and the first bytes of block devices", async (context) => {
    const reason = missing({ root: true, programs: ["losetup"], paths: ["/dev/loop-control"] });
    context.skip(reason !== null, reason ?? "");
    using loop = attachLoop(1024 * 1024);
    writeFileSync(loop.device, "on the device");
    symlinkSync(loop.device, `${path}/disk`);
    const entry = (await scan()).get("disk");
    expect(entry).toMatchObject({
      isSymlink: true,
      facts: { kind: "block", sizeBytes: 1024n * 1024n },
      evidence: null,
    });
    expect(text(entry?.head ?? new Uint8Array())).toBe("on the device");
  });

  it("passes over what may not be read", async (context) => {
    context.skip(process.getuid?.() !== 0, "needs root to become another user");
    writeFileSync(`${path}/secret`, "x", { mode: 0o000 });
    writeFileSync(`${path}/open`, "y", { mode: 0o644 });
    execFileSync("chmod", ["755", root, path]);
    const script = `
      import { Hosts } from ${JSON.stringify(new URL("../../dist/host/index.js", import.meta.url).href)};
      process.setgid(65534); process.setgroups([]); process.setuid(65534);
      const hosts = new Hosts();
      const directory = await hosts.local.openDirectory(${JSON.stringify(path)});
      const seen = {};
      for await (const batch of directory.scan({ headBytes: 8, windows: [] })) for (const { name, facts, errno } of batch) seen[name] = [facts?.kind, errno];
      await directory.close();
      await hosts.close();
      console.log(JSON.stringify(seen));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(JSON.parse(output)).toEqual({ secret: [null, 13], open: ["file", 0] });
  });

  it("of an empty directory is empty", async () => {
    expect((await scan()).size).toBe(0);
    expect((await scan({ ...plain, known: new Map([["x", anyEvidence]]) })).size).toBe(0);
  });

  it("refuses to read more of each file than the limit", async () => {
    expect(await codeOf(scan({ headBytes: hostLimits.scanBytesPerEntry + 1, windows: [] }))).toBe("E2BIG");
  });
});

const anyEvidence: ScanEvidence = { device: 1n, inode: 1n, sizeBytes: 1n, modificationNs: 1n, changeNs: 1n };

describe("evidence", () => {
  it("saves reading what is unchanged, and nothing else", async () => {
    for (const name of ["same", "rewritten", "grown", "touched", "replaced", "gone"])
      writeFileSync(`${path}/${name}`, "before");
    symlinkSync("same", `${path}/link`);
    mkdirSync(`${path}/directory`);
    await settle();
    const known = evidenceOf(await scan());
    expect([...known.keys()].sort()).toEqual(["gone", "grown", "replaced", "rewritten", "same", "touched"]);
    const { atime, mtime } = statSync(`${path}/rewritten`);
    writeFileSync(`${path}/rewritten`, "after!");
    // Hidden from mtime; ctime cannot be set back.
    utimesSync(`${path}/rewritten`, atime, mtime);
    writeFileSync(`${path}/grown`, "longer", { flag: "a" });
    utimesSync(`${path}/touched`, 5, 5);
    execFileSync("cp", ["-p", `${path}/replaced`, `${path}/copy`]);
    execFileSync("mv", [`${path}/copy`, `${path}/replaced`]);
    execFileSync("rm", [`${path}/gone`]);
    writeFileSync(`${path}/new`, "new");
    const again = await scan({ ...plain, known });
    const heads = [...again].map(([name, { head }]) => [name, head === null ? null : text(head)]);
    expect(Object.fromEntries(heads)).toEqual({
      same: null,
      rewritten: "after!",
      grown: "beforelonger",
      touched: "before",
      replaced: "before",
      new: "new",
      link: "before",
      directory: null,
    });
    expect(again.get("same")?.evidence).toEqual(known.get("same"));
    for (const [name, entry] of again) expect(entry.facts).toEqual(await directory.lookup(name));
  });

  it("is not given where a write within the same tick of the clock could leave it as it is", async () => {
    writeFileSync(`${path}/fresh`, "1");
    expect((await scan()).get("fresh")?.evidence).toBeNull();
    await settle();
    expect((await scan()).get("fresh")?.evidence).not.toBeNull();
  });
});

describe("a long scan", () => {
  it("reads no further ahead than a few batches, and ends when its reader has seen enough", async () => {
    writeImages(5_000);
    const before = openBelow(root);
    for await (const batch of directory.scan(plain)) {
      expect(batch.length).toBe(hostLimits.scanBatchEntries);
      await delay(100);
      break;
    }
    await delay(100);
    expect(openBelow(root)).toBeLessThanOrEqual(before);
    expect((await scan()).size).toBe(5_000);
  });

  it("ends when it is given up", async () => {
    writeImages(2_000);
    const abort = new AbortController();
    const reading = async () => {
      for await (const _ of directory.scan(plain, { signal: abort.signal })) abort.abort();
    };
    expect(await codeOf(reading())).toBe("ECANCELED");
    expect((await scan()).size).toBe(2_000);
  });

  it("waits for its turn while others run", async () => {
    writeImages(1_000);
    const scans = await Promise.all(Array.from({ length: 6 }, () => scan()));
    expect(scans.map(({ size }) => size)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 1_000]);
  });

  it("reads none of 10,000 images again that it has evidence of", async () => {
    writeImages(10_000);
    await settle();
    const request = { headBytes: 33_280, windows: [{ offset: 32_769, length: 5 }] };
    const timed = async (wanted: ScanRequest) => {
      const start = performance.now();
      const entries = await scan(wanted);
      return { milliseconds: performance.now() - start, entries };
    };
    const first: number[] = [];
    const again: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const fresh = await timed(request);
      const known = evidenceOf(fresh.entries);
      expect(known.size).toBe(10_000);
      const second = await timed({ ...request, known });
      expect([...second.entries.values()].every(({ head }) => head === null)).toBe(true);
      first.push(fresh.milliseconds);
      again.push(second.milliseconds);
    }
    console.log(
      `first scan of 10000 images: ${Math.min(...first).toFixed(0)} ms (again with evidence: ${Math.min(...again).toFixed(0)} ms)`,
    );
  });

  it("takes no more than one batch between two turns of the event loop", { timeout: 120_000 }, async () => {
    const count = byEffort({ fast: 20_000, normal: 100_000, long: 100_000 });
    execFileSync("sh", ["-c", `seq 1 ${count} | sed 's/^/image-with-a-rather-long-name-/' | xargs touch`], {
      cwd: path,
    });
    await settle();
    const delays = monitorEventLoopDelay({ resolution: 1 });
    const watched = async (request: ScanRequest) => {
      const known = new Map<string, ScanEvidence>();
      using others = new Turns();
      let [entries, mostAtOnce, atOnce, turn] = [0, 0, 0, -1];
      delays.enable();
      for await (const batch of directory.scan(request)) {
        atOnce = others.taken === turn ? atOnce + batch.length : batch.length;
        turn = others.taken;
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        entries += batch.length;
        for (const { name, evidence } of batch) if (evidence !== null) known.set(name, evidence);
      }
      delays.disable();
      expect(entries).toBe(count);
      expect(mostAtOnce).toBeLessThanOrEqual(hostLimits.scanBatchEntries);
      return known;
    };
    const known = await watched({ headBytes: 512, windows: [] });
    expect(known.size).toBe(count);
    await watched({ headBytes: 512, windows: [], known });
    // Half of them are asked for once more, and come in a second piece.
    const half = new Map([...known].filter((_, index) => index % 2 === 0));
    await watched({ headBytes: 512, windows: [], known: half });
    // How long it takes is the machine's affair: other processes take the processor away as well.
    const [p99, longest] = [delays.percentile(99), delays.max].map((ns) => (ns / 1e6).toFixed(1));
    console.log(`event loop delay: ${p99} ms p99, ${longest} ms longest, in scans of ${count}`);
  });
});

/** Counts the turns that the event loop gives to others. */
class Turns implements Disposable {
  taken = 0;
  #next = setImmediate(() => this.#take());

  #take(): void {
    this.taken += 1;
    this.#next = setImmediate(() => this.#take());
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#next);
  }
}
