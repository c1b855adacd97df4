import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { type FuseMount, fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import {
  type Directory,
  type Host,
  Hosts,
  hostLimits,
  killOrphans,
  type StartedProgram,
} from "../../dist/host/index.js";
import { codeOf, scratchDirectory, text, writeNew } from "./support.ts";

const reason = missing(fuseRequirements);
const remoteTimeoutMs = 600;
/** The deadline, and what it takes to kill and answer on a busy machine. */
const soonMs = remoteTimeoutMs + 1_000;

const root = scratchDirectory();
let counter = 0;
let place: string;
let hosts: Hosts;
let mount: FuseMount;
let host: Host;
let directory: Directory;

beforeEach(async (context) => {
  context.skip(reason !== null, reason ?? "");
  place = `${root}/${counter++}`;
  for (const name of ["source", "mounted", "local"]) mkdirSync(`${place}/${name}`, { recursive: true });
  hosts = new Hosts({ remoteTimeoutMs });
  mount = await mountFuse(`${place}/source`, `${place}/mounted`);
  host = await hosts.forPath(`${place}/mounted`);
  directory = await host.openDirectory(`${place}/mounted`);
  return async () => {
    await hosts.close();
    await mount.unmount();
  };
});

async function timed<T>(call: Promise<T>): Promise<{ result: T; milliseconds: number }> {
  const start = performance.now();
  const result = await call;
  return { result, milliseconds: performance.now() - start };
}

async function pidsOfChildren(): Promise<number[]> {
  const children = execFileSync("pgrep", ["-P", String(process.pid), "-f", "remote/child.js"], { encoding: "utf8" });
  return children.trim().split("\n").map(Number);
}

describe("on storage that can hang, while it answers", () => {
  it("the home is another process", () => {
    expect(host.home).toBe("remote");
    expect(directory.host).toBe(host);
  });

  it("everything works as at home", async () => {
    await directory.makeDirectory("sub", 0o750);
    await writeNew(directory, "a\udcff", "0123456789", 0o604);
    await directory.symlink("link", "a\udcff");
    expect(await directory.readLink("link")).toBe("a\udcff");
    expect((await directory.lookup("link")).kind).toBe("file");
    expect((await directory.lookup("link", { follow: false })).kind).toBe("symlink");
    expect(await directory.lookup("a\udcff")).toMatchObject({ sizeBytes: 10n, mode: 0o604 });
    expect(text(await directory.readFile("a\udcff", 100))).toBe("0123456789");
    expect(await codeOf(directory.readFile("a\udcff", 9))).toBe("EFBIG");
    await directory.writeFileAtomically("config", Buffer.from("x"), 0o600);
    await directory.rename("config", "renamed");
    expect((await directory.names()).sort()).toEqual(["link", "renamed", "sub", "a\udcff"].sort());
    await using sub = await directory.openDirectory("sub");
    expect((await sub.facts()).mode).toBe(0o750);
    await directory.removeFile("link");
    await directory.removeDirectory("sub");
    await directory.sync();
    expect((await directory.space()).capacityBytes).toBeGreaterThan(0n);
    expect(await codeOf(directory.open("absent", { access: "read" }))).toBe("ENOENT");
    expect(await codeOf(directory.open("..", { access: "read" }))).toBe("EINVAL");
    expect(await codeOf(directory.open("renamed", { access: "write", create: "exclusive" }))).toBe("EEXIST");
    expect(await codeOf(host.openDirectory(`${place}/mounted/absent`))).toBe("ENOENT");
    await host.makeDirectories(`${place}/mounted/x/y`);
    await host.makeDirectory(`${place}/mounted/x/z`, 0o711);
    await host.removeDirectory(`${place}/mounted/x/z`);
    expect((await host.facts(`${place}/mounted/x/y`)).kind).toBe("directory");
    expect(readdirSync(`${place}/source`, { encoding: "latin1" }).sort()).toEqual(["a\xff", "renamed", "x"]);
  });

  it("files are read, written, copied and cut", async () => {
    const mebibyte = 1024n * 1024n;
    await using file = await directory.open("file", { access: "read-write", create: "exclusive" });
    await file.allocate(0n, 2n * mebibyte);
    await file.write(mebibyte, Buffer.from("middle"));
    expect(text(await file.read(mebibyte, 6))).toBe("middle");
    expect(await file.sizeBytes()).toBe(2n * mebibyte);
    await using copy = await directory.open("copy", { access: "read-write", create: "exclusive" });
    for (let at = 0n; at < 2n * mebibyte; ) at += (await copy.copyRange(file, at, at, 2n * mebibyte - at)).copiedBytes;
    execFileSync("cmp", [`${place}/source/file`, `${place}/source/copy`]);
    await file.overwriteWithZeros(0n, 2n * mebibyte);
    expect(text(await file.read(mebibyte, 6))).toBe("\0\0\0\0\0\0");
    await file.zero(0n, mebibyte);
    await file.truncate(5n);
    await file.checkOffset(3n);
    await file.sync();
    await file.changeMode(0o640);
    expect(await file.facts()).toMatchObject({ sizeBytes: 5n, mode: 0o640 });
    expect(await file.seekHole(5n)).toBe(5n);
    expect(await codeOf(copy.cloneFrom(file))).not.toBe("succeeded");
  });

  it("files are copied from and to local storage", async () => {
    const local = await hosts.local.openDirectory(`${place}/local`);
    await writeNew(local, "here", "from the local disk");
    await using here = await local.open("here", { access: "read" });
    await using there = await directory.open("there", { access: "read-write", create: "exclusive" });
    expect(await there.copyRange(here, 0n, 0n, 100n)).toEqual({ copiedBytes: 19n, way: "buffered" });
    await using back = await local.open("back", { access: "read-write", create: "exclusive" });
    expect(await back.copyRange(there, 5n, 5n, 100n)).toEqual({ copiedBytes: 14n, way: "buffered" });
    expect(await back.copyRange(there, 0n, 0n, 5n)).toEqual({ copiedBytes: 5n, way: "buffered" });
    expect(await back.copyRange(there, 19n, 19n, 5n)).toEqual({ copiedBytes: 0n, way: "buffered" });
    expect(readFileSync(`${place}/local/back`, "utf8")).toBe("from the local disk");
    expect(await codeOf(there.cloneFrom(here))).toBe("EXDEV");
    expect(await codeOf(back.cloneFrom(there))).toBe("EXDEV");
    await local.close();
  });

  it("a scan comes in batches, and spares what is known to be unchanged", async () => {
    const count = 1_500;
    for (let index = 0; index < count; index += 1) writeFileSync(`${place}/source/file${index}`, `content ${index}`);
    // Another machine's clock may be minutes off: only what has rested for long is trusted.
    const old = new Date(Date.now() - 3_600_000);
    execFileSync("sh", ["-c", "touch -d '1 hour ago' file*"], { cwd: `${place}/source` });
    expect(statSync(`${place}/source/file0`).mtimeMs).toBeLessThan(old.getTime() + 60_000);
    const entries = new Map<string, string | null>();
    for await (const batch of directory.scan({ headBytes: 20, windows: [] })) {
      expect(batch.length).toBeLessThanOrEqual(hostLimits.scanBatchEntries);
      for (const { name, head, evidence } of batch) {
        entries.set(name, head === null ? null : text(head));
        // Just made, by ctime, which cannot be set back.
        expect(evidence).toBeNull();
      }
    }
    expect(entries.size).toBe(count);
    expect(entries.get("file7")).toBe("content 7");
    const { device, inode, sizeBytes, modificationNs, changeNs } = await directory.lookup("file7");
    const known = new Map([["file7", { device, inode, sizeBytes, modificationNs, changeNs }]]);
    const unread: string[] = [];
    for await (const batch of directory.scan({ headBytes: 20, windows: [], known })) {
      for (const { name, head } of batch) if (head === null) unread.push(name);
    }
    expect(unread).toEqual(["file7"]);
    for await (const _ of directory.scan({ headBytes: 20, windows: [] })) break;
    expect(await codeOf(directory.facts())).toBe("succeeded");
  });

  it("a command gets files of either home", async () => {
    const local = await hosts.local.openDirectory(`${place}/local`);
    await writeNew(local, "here", "here");
    await writeNew(directory, "there", "there");
    await using open = await directory.open("there", { access: "read" });
    const args = [
      { in: local, name: "here" },
      { in: directory, name: "there" },
      { file: open, name: "alias" },
    ];
    for (const any of [host, hosts.local]) {
      const { stdout, line } = await any.run({ program: "cat", args });
      expect(stdout).toBe("heretherethere");
      expect(line).toBe(`/usr/bin/cat ${place}/local/here ${place}/mounted/there ${place}/mounted/there`);
    }
    expect(await codeOf(host.run({ program: "no-such-tool", args: [] }))).toBe("ENOENT");
    expect((await host.run({ program: "sh", args: ["-c", "exit 4"] })).exitStatus).toBe(4);
    await local.close();
  });

  it("a command is told of, heard, and given what its line does not show", async () => {
    const told: StartedProgram[] = [];
    const heard: string[] = [];
    const args = ["-c", "cut -d ' ' -f 22 /proc/$$/stat; echo $$; echo $1; sleep 0.3", "sh", { unshown: "hidden" }];
    const { stdout, line } = await host.run(
      { program: "sh", args },
      { started: (child) => told.push(child), output: (text) => heard.push(text) },
    );
    expect(told.map(({ pid, startTime }) => `${startTime}\n${pid}\nhidden\n`)).toEqual([stdout]);
    expect(heard.join("")).toBe(stdout);
    expect(line.endsWith(" sh")).toBe(true);
  });

  it("its process and what that starts carry the daemon's marker", async () => {
    const marker = `/state/of-remote-${process.pid}`;
    const marked = new Hosts({ remoteTimeoutMs, marker });
    const there = await marked.forPath(`${place}/mounted`);
    await using opened = await there.openDirectory(`${place}/mounted`);
    const program = { program: "sh", args: ["-c", "echo $CISTERN_STATE"] };
    expect((await there.run(program)).stdout).toBe(`${marker}\n`);
    expect((await marked.local.run(program)).stdout).toBe(`${marker}\n`);
    const { killed, stuck } = await killOrphans(marker);
    expect({ killed: killed.map((text) => /remote\/child\.js/.test(text)), stuck }).toEqual({
      killed: [true],
      stuck: [],
    });
    await delay(50);
    expect(await codeOf(opened.facts())).toBe("ESTALE");
    await marked.close();
  });

  it("a command that outlives many deadlines is left alone", async () => {
    const { result, milliseconds } = await timed(
      host.run({ program: "sleep", args: [String((remoteTimeoutMs * 3) / 1_000)] }),
    );
    expect(result.exitStatus).toBe(0);
    expect(milliseconds).toBeGreaterThan(remoteTimeoutMs * 3 - 50);
  });

  it("what is swapped in leads nowhere", async () => {
    mkdirSync(`${place}/source/pool`);
    writeFileSync(`${place}/source/pool/file`, "ours");
    await using pool = await host.openDirectory(`${place}/mounted/pool`);
    renameSync(`${place}/mounted/pool`, `${place}/mounted/moved`);
    symlinkSync(`${place}/local`, `${place}/mounted/pool`);
    await writeNew(pool, "new", "x");
    expect(readdirSync(`${place}/local`)).toEqual([]);
    expect(readdirSync(`${place}/source/moved`).sort()).toEqual(["file", "new"]);
    symlinkSync(`${place}/local/planted`, `${place}/mounted/moved/link`);
    expect(await codeOf(pool.open("link", { access: "write", create: "exclusive" }))).toBe("EEXIST");
    expect(readdirSync(`${place}/local`)).toEqual([]);
  });

  it("its end is noticed, and it is started anew", async () => {
    for (const pid of await pidsOfChildren()) process.kill(pid, "SIGKILL");
    expect(["EIO", "ESTALE"]).toContain(await codeOf(directory.facts()));
    await delay(50);
    expect(await codeOf(directory.facts())).toBe("ESTALE");
    await using again = await host.openDirectory(`${place}/mounted`);
    expect(await again.names()).toEqual([]);
  });
});

describe("on storage that has stopped answering", () => {
  it("every call ends at the deadline, and works again after it has recovered", async () => {
    await writeNew(directory, "file", "content");
    await using file = await directory.open("file", { access: "read-write" });
    mount.hang();
    const calls = [
      codeOf(directory.lookup("file")),
      codeOf(directory.names()),
      codeOf(file.read(0n, 10)),
      codeOf(host.facts(`${place}/mounted/other`)),
      codeOf(host.openDirectory(`${place}/mounted/other`)),
    ];
    const { result, milliseconds } = await timed(Promise.all(calls));
    expect(result).toEqual(["ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT"]);
    expect(milliseconds).toBeGreaterThan(remoteTimeoutMs - 50);
    expect(milliseconds).toBeLessThan(soonMs);
    expect(await codeOf(file.read(0n, 10))).toBe("ESTALE");
    const next = await timed(codeOf(host.openDirectory(`${place}/mounted`)));
    expect(next.result).toBe("ETIMEDOUT");
    mount.recover();
    await using again = await host.openDirectory(`${place}/mounted`);
    expect(text(await again.readFile("file", 100))).toBe("content");
    expect(await codeOf(directory.facts())).toBe("ESTALE");
  });

  it("choosing its home does not touch it", async () => {
    mount.hang();
    const { result, milliseconds } = await timed(hosts.forPath(`${place}/mounted/a/b/c`));
    expect(result).toBe(host);
    expect(milliseconds).toBeLessThan(remoteTimeoutMs / 2);
  });

  it("local storage and other mounts go on as if nothing were", async () => {
    for (const name of ["other-source", "other"]) mkdirSync(`${place}/${name}`);
    await using other = await mountFuse(`${place}/other-source`, `${place}/other`);
    await using elsewhere = await (await hosts.forPath(other.mountPoint)).openDirectory(other.mountPoint);
    const local = await hosts.local.openDirectory(`${place}/local`);
    mount.hang();
    // More than Node's pool has threads.
    const hung = Array.from({ length: 16 }, (_, index) => codeOf(directory.lookup(`name${index}`)));
    const start = performance.now();
    for (let round = 0; round < 20; round += 1) {
      await writeNew(local, `file${round}`, "x");
      await elsewhere.makeDirectory(`directory${round}`, 0o755);
    }
    expect(performance.now() - start).toBeLessThan(remoteTimeoutMs);
    expect(new Set(await Promise.all(hung))).toEqual(new Set(["ETIMEDOUT"]));
    expect((await elsewhere.names()).length).toBe(20);
    await local.close();
  });

  it("a symlink from local storage to it hurts neither look, open nor scan", async () => {
    const local = await hosts.local.openDirectory(`${place}/local`);
    writeFileSync(`${place}/source/image`, "remote content");
    symlinkSync(`${place}/mounted/image`, `${place}/local/link`);
    symlinkSync(`${place}/mounted`, `${place}/local/through`);
    symlinkSync("through/image", `${place}/local/indirect`);
    for (let index = 0; index < 20; index += 1) symlinkSync(`${place}/mounted/image`, `${place}/local/more${index}`);
    writeFileSync(`${place}/local/file`, "local content");
    const scan = async () => {
      const heads: Record<string, string | number | null> = {};
      for await (const batch of local.scan({ headBytes: 100, windows: [] })) {
        for (const { name, head, errno } of batch)
          if (!name.startsWith("more")) heads[name] = errno || (head === null ? null : text(head));
      }
      return heads;
    };
    expect(await scan()).toEqual({
      link: "remote content",
      indirect: "remote content",
      through: null,
      file: "local content",
    });
    await using image = await local.open("link", { access: "read" });
    expect(image.host.home).toBe("remote");
    await using backing = await hosts.local.openFile(`${place}/local/indirect`, "read");
    expect(text(await backing.read(0n, 6))).toBe("remote");
    mount.hang();
    const scanned = await timed(scan());
    expect(scanned.result).toEqual({ link: 110, indirect: 110, through: 110, file: "local content" });
    expect(scanned.milliseconds).toBeLessThan(2 * soonMs);
    expect(await codeOf(local.open("link", { access: "read" }))).toBe("ETIMEDOUT");
    expect(await codeOf(local.lookup("indirect"))).toBe("ETIMEDOUT");
    expect(await codeOf(hosts.local.openDirectory(`${place}/local/through`))).toBe("ETIMEDOUT");
    expect(await codeOf(local.facts())).toBe("succeeded");
    await local.close();
  });

  it("a scan and a wipe end when they get no further", async () => {
    await using file = await directory.open("file", { access: "read-write", create: "exclusive" });
    mount.hang();
    const wipe = await timed(codeOf(file.overwriteWithZeros(0n, 1_000n)));
    expect(wipe.result).toBe("ETIMEDOUT");
    expect(wipe.milliseconds).toBeGreaterThan(remoteTimeoutMs * hostLimits.remoteSlowCallFactor - 50);
    mount.recover();
    await using again = await host.openDirectory(`${place}/mounted`);
    mount.hang();
    const reading = async () => {
      for await (const _ of again.scan({ headBytes: 10, windows: [] }, { timeoutMs: 300 }))
        throw new Error("nothing can be seen");
    };
    expect(await codeOf(reading())).toBe("ETIMEDOUT");
  });

  it("a command that waits for it is killed with the rest", async () => {
    await writeNew(directory, "file", "x");
    mount.hang();
    const command = codeOf(host.run({ program: "cat", args: [{ in: directory, name: "file" }] }, { timeoutMs: 300 }));
    expect(await command).toBe("ETIMEDOUT");
    const entry = { in: directory, name: "file" };
    const sleep = codeOf(host.run({ program: "sh", args: ["-c", `exec sleep 97${process.pid}`, entry] }));
    await delay(200);
    expect(await codeOf(host.facts(`${place}/mounted/other`))).toBe("ETIMEDOUT");
    expect(await sleep).toBe("ETIMEDOUT");
    await delay(50);
    expect(() => execFileSync("pgrep", ["-f", `^sleep 97${process.pid}$`])).toThrow();
  });

  it("a caller who loses patience is answered at once", async () => {
    mount.hang();
    const abort = new AbortController();
    const call = codeOf(directory.lookup("x", { signal: abort.signal }));
    await delay(20);
    const start = performance.now();
    abort.abort();
    expect(await call).toBe("ECANCELED");
    // Not at the deadline, that is.
    expect(performance.now() - start).toBeLessThan(remoteTimeoutMs - 100);
  });

  it("the hosts close at once", async () => {
    mount.hang();
    const call = codeOf(directory.lookup("x"));
    await delay(50);
    const { milliseconds } = await timed(hosts.close());
    expect(await call).toBe("ESTALE");
    expect(milliseconds).toBeLessThan(hostLimits.remoteCloseMs + 500);
  });

  it("a process with a hung call ends as soon as it wants to", async () => {
    mount.hang();
    const script = `
      import { Hosts } from ${JSON.stringify(new URL("../../dist/host/index.js", import.meta.url).href)};
      const hosts = new Hosts({ remoteTimeoutMs: 60_000 });
      const host = await hosts.forPath(${JSON.stringify(`${place}/mounted`)});
      host.facts(${JSON.stringify(`${place}/mounted/x`)}).catch(() => undefined);
      setTimeout(async () => { await hosts.close(); console.log("closed"); }, 500);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const started = performance.now();
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const exitStatus = await new Promise((resolve) => child.once("exit", resolve));
    expect({ output, exitStatus }).toEqual({ output: "closed\n", exitStatus: 0 });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
