import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { MountNamespace, mountNamespacesUnavailable } from "../../../../tests/support/mount-namespace.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import {
  type Directory,
  describeFailure,
  endProcess,
  findProgram,
  type HostError,
  hostLimits,
  killOrphans,
  markerOf,
  type StartedProgram,
  startTimeOf,
} from "../../dist/host/index.js";
import { codeOf, remoteHost, scratchDirectory, testHosts, writeNew } from "./support.ts";

const root = scratchDirectory();
const temporaryDirectory = scratchDirectory();
const hosts = testHosts({ temporaryDirectory });
const underComma = testHosts({ temporaryDirectory: mkdtempSync(`${scratchDirectory()}/t,`) });
const elsewhere = remoteHost(root);
let directory: Directory;

beforeAll(async () => {
  directory = await hosts.local.openDirectory(root);
  return () => directory.close();
});

const shell = (script: string) => ({ program: "sh", args: ["-c", script] });

describe("a command", () => {
  it("gives its outcome, its output and its line as a person would type it", async () => {
    const result = await hosts.local.run({ program: "sh", args: ["-c", "echo out; echo 'it fails' >&2; exit 3"] });
    expect(result).toEqual({
      line: `${await findProgram("sh")} -c 'echo out; echo '\\''it fails'\\'' >&2; exit 3'`,
      exitStatus: 3,
      signal: null,
      stdout: "out\n",
      stderr: "it fails\n",
    });
    expect(describeFailure(result)).toBe(`Child process (${result.line}) unexpected exit status 3: it fails\n`);
  });

  it("is described as libvirt does", () => {
    const result = { line: "/bin/x -y", exitStatus: 1, signal: null, stderr: "" };
    expect(describeFailure(result)).toBe("Child process (/bin/x -y) unexpected exit status 1");
    expect(describeFailure({ ...result, exitStatus: null, signal: "SIGKILL" })).toBe(
      "Child process (/bin/x -y) unexpected fatal signal 9",
    );
  });

  it("that says a lot is told by how it began and how it ended", () => {
    const stderr = `began ${"Could not open backing file: ".repeat(9_000)}ended`;
    const text = describeFailure({ line: "/bin/x -y", exitStatus: 1, signal: null, stderr });
    expect(text).toMatch(/^Child process \(\/bin\/x -y\) unexpected exit status 1: began Could.*…[^…]*ended$/);
    expect(text.length).toBeLessThan(hostLimits.failureTextLength + 100);
    // No half of a character stays where it is cut.
    const odd = `a${"\u{1f4a9}".repeat(9_000)}`;
    expect(describeFailure({ line: "x", exitStatus: 1, signal: null, stderr: odd })).not.toMatch(/[\ud800-\udfff]/u);
    expect(describeFailure({ line: "x", exitStatus: 1, signal: null, stderr: `${odd}z` })).not.toMatch(
      /[\ud800-\udfff]/u,
    );
  });

  it("has an empty stdin, messages in English, the environment it is given, and none of the daemon's files", async () => {
    const { stdout } = await hosts.local.run({
      ...shell("cat; echo $LC_ALL $COLOUR"),
      environment: { COLOUR: "blue" },
    });
    expect(stdout).toBe("C blue\n");
    expect((await hosts.local.run(shell("ls -l /proc/self/fd"))).stdout).not.toContain(root);
  });

  it("reads the input it is given", async () => {
    expect((await hosts.local.run(shell("wc -c"), { input: Buffer.alloc(100_000) })).stdout.trim()).toBe("100000");
    expect((await hosts.local.run(shell("exit 0"), { input: Buffer.alloc(1_000_000) })).exitStatus).toBe(0);
  });

  it("that is not installed is ENOENT with its name", async () => {
    const missing = hosts.local.run({ program: "no-such-tool", args: [] });
    await expect(missing).rejects.toMatchObject({
      code: "ENOENT",
      message: expect.stringContaining("no-such-tool"),
    } satisfies Partial<HostError>);
    expect(await codeOf(hosts.local.run({ program: "/etc/passwd", args: [] }))).toBe("ENOENT");
  });

  it("may say more than is kept, and is never held up by that", async () => {
    const { stdout, exitStatus } = await hosts.local.run(shell("head -c 10000000 /dev/zero | tr '\\0' x"), {
      outputLimitBytes: 1_000,
    });
    expect({ length: stdout.length, exitStatus }).toEqual({ length: 1_000, exitStatus: 0 });
  });

  it("ends with all it started when its time is over", async () => {
    const started = performance.now();
    const call = hosts.local.run(shell("sleep 1000 & sleep 1000"), { timeoutMs: 200 });
    expect(await codeOf(call)).toBe("ETIMEDOUT");
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("ends with all it started when it is given up, even if it ignores the first request", async () => {
    const abort = new AbortController();
    const marker = `sleep 98${process.pid}`;
    const call = codeOf(hosts.local.run(shell(`trap '' TERM; ${marker} & ${marker}`), { signal: abort.signal }));
    await delay(200);
    expect(running(marker)).toBeGreaterThan(0);
    abort.abort();
    expect(await call).toBe("ECANCELED");
    await delay(50);
    expect(running(marker)).toBe(0);
  });

  it("does not wait for what it leaves in the background", async () => {
    const started = performance.now();
    const result = await hosts.local.run(shell("sleep 3 & echo done"));
    expect(result.stdout).toBe("done\n");
    expect(performance.now() - started).toBeLessThan(2_500);
  });
});

describe("a running command", () => {
  it("is told by process and start time as soon as it runs", async () => {
    const told: StartedProgram[] = [];
    const { stdout } = await hosts.local.run(shell("cut -d ' ' -f 22 /proc/$$/stat; echo $$; sleep 0.3"), {
      started: (child) => told.push(child),
    });
    expect(told.map(({ pid, startTime }) => `${startTime}\n${pid}\n`)).toEqual([stdout]);
  });

  it("is heard as it speaks", async () => {
    const heard: { text: string; atMs: number }[] = [];
    const { stdout } = await hosts.local.run(shell("echo first; sleep 0.5; echo second"), {
      outputLimitBytes: 3,
      output: (text) => heard.push({ text, atMs: performance.now() }),
    });
    expect(heard.map(({ text }) => text).join("")).toBe("first\nsecond\n");
    expect((heard.at(-1)?.atMs ?? 0) - (heard[0]?.atMs ?? 0)).toBeGreaterThan(300);
    expect(stdout).toBe("fir");
  });

  it("is given arguments that its line does not show", async () => {
    const args = ["-c", 'echo "$1 $2 $3"', "sh", "a", { unshown: "-p" }, "b"];
    const { stdout, line } = await hosts.local.run({ program: "sh", args });
    expect(stdout).toBe("a -p b\n");
    expect(line.endsWith(" sh a b")).toBe(true);
  });

  it("dies with the process that runs it, however that dies", async (context) => {
    const reason = missing({ programs: ["setpriv"] });
    context.skip(reason !== null, reason ?? "");
    const marker = `sleep 96${process.pid}`;
    const daemon = startDaemon(shell(`exec ${marker}`));
    await until(() => running(marker) === 1);
    daemon.kill("SIGKILL");
    await until(() => running(marker) === 0);
  });
});

describe("what an earlier daemon left running", () => {
  it("is found by its marker, and ended", async () => {
    const marker = `/state/of-${process.pid}`;
    const sleeping = `sleep 95${process.pid}`;
    const daemon = startDaemon(shell(`${sleeping} & wait`), marker);
    await until(() => running(sleeping) === 1);
    const [first, second] = [marker, `${marker}-other`].map((value) => killOrphans(value));
    expect(await second).toEqual({ killed: [], stuck: [] });
    const { killed, stuck } = (await first) ?? { killed: [], stuck: [] };
    expect(stuck).toEqual([]);
    expect(killed.filter((text) => /^"sleep 95\d+" \(process \d+\)$/.test(text))).toHaveLength(1);
    expect(running(sleeping)).toBe(0);
    daemon.kill("SIGKILL");
  });

  it("is left alone where another daemon, in a container, has a journal of the same path", async (context) => {
    const reason = mountNamespacesUnavailable();
    context.skip(reason !== undefined, reason ?? "");
    const [journal, theirs] = [scratchDirectory(), scratchDirectory()];
    const sleeping = `sleep 94${process.pid}`;
    const script = `
      import { Hosts, markerOf } from ${JSON.stringify(hostModule)};
      const marker = await markerOf(${JSON.stringify(journal)});
      await new Hosts({ marker }).local.run(${JSON.stringify(shell(`${sleeping} & wait`))});`;
    const container = await MountNamespace.open([{ kind: "bind", from: theirs, onto: journal }]);
    const daemon = container.run(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
    try {
      await until(() => running(sleeping) === 1);
      const killedBy = async (path: string) =>
        (await killOrphans(await markerOf(path))).killed.filter((text) => text.includes(sleeping));
      expect([await killedBy(journal), running(sleeping)]).toEqual([[], 1]);
    } finally {
      daemon.kill("SIGKILL");
      await killOrphans((await markerOf(theirs)).replace(theirs, journal));
      await container.close();
    }
    expect(running(sleeping)).toBe(0);
  });

  it("is ended by its start time as well: its number may be another's by then", async () => {
    const child = spawn("sleep", ["93"], { stdio: "ignore" });
    const { pid = 0 } = child;
    await until(() => child.pid !== undefined);
    const startTime = (await startTimeOf(pid)) ?? "";
    await endProcess({ pid, startTime: `${Number(startTime) - 1}` });
    await delay(100);
    expect([await startTimeOf(pid), child.signalCode]).toEqual([startTime, null]);
    await endProcess({ pid, startTime });
    await until(() => child.signalCode === "SIGKILL");
    await endProcess({ pid, startTime });
  });
});

const hostModule = new URL("../../dist/host/index.js", import.meta.url).href;

/** A process that runs `command` through a host until it is killed. */
function startDaemon(command: { program: string; args: readonly string[] }, marker?: string): ChildProcess {
  const script = `
    import { Hosts } from ${JSON.stringify(hostModule)};
    await new Hosts(${JSON.stringify(marker === undefined ? {} : { marker })}).local.run(${JSON.stringify(command)});`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("it did not come to be");
    await delay(20);
  }
}

describe("a file handed to a command", () => {
  it("is an entry of the open directory, wherever that is called now", async () => {
    await directory.makeDirectory("moved", 0o755);
    const moved = await directory.openDirectory("moved");
    await writeNew(moved, "data", "through the handle");
    await directory.rename("moved", "elsewhere");
    await directory.makeDirectory("moved", 0o755);
    const { stdout, line } = await hosts.local.run({ program: "cat", args: [{ in: moved, name: "data" }] });
    expect(stdout).toBe("through the handle");
    expect(line).toBe(`${await findProgram("cat")} ${root}/moved/data`);
    await moved.close();
  });

  it("is an open file under a name of its own, which is gone afterwards", async () => {
    await writeNew(directory, "target.bin", "");
    await using file = await directory.open("target.bin", { access: "read-write" });
    const args = [
      "-c",
      'echo "$1"; path=$(echo "$1" | cut -c4-); basename "$path"; printf x > "$path"',
      "sh",
      { before: "of=", file, name: "shown.vmdk" },
    ];
    const { stdout } = await hosts.local.run({ program: "sh", args });
    expect(stdout).toBe(`of=${root}/target.bin\nshown.vmdk\n`);
    expect(statSync(`${root}/target.bin`).size).toBe(1);
    expect(readdirSync(temporaryDirectory)).toEqual([]);
  });

  it("is called what a person would call it in the command's messages", async () => {
    const { stderr, exitStatus } = await hosts.local.run({ program: "cat", args: [{ in: directory, name: "absent" }] });
    expect({ stderr, exitStatus }).toEqual({
      stderr: `${await findProgram("cat")}: ${root}/absent: No such file or directory\n`,
      exitStatus: 1,
    });
  });

  it("is found where the commas of its path are written twice, and told by its own name", async () => {
    mkdirSync(`${root}/p,q`);
    await using parent = await directory.openDirectory("p,q");
    await writeNew(parent, "a,b", "inside");
    await using file = await parent.open("a,b", { access: "read" });
    // As qemu reads an option: up to a single comma, of two commas one.
    const reads = 'path=$(echo "$1" | sed "s/,,/,/g; s/^file=//; s/,x$//"); echo "$1 is $path"; cat "$path"';
    for (const host of [underComma.local, elsewhere]) {
      for (const place of [{ file }, { in: parent }]) {
        const argument = { ...place, name: "a,b", before: "file=", after: ",x", escapesCommas: true };
        const { stdout, line } = await host.run({ program: "sh", args: ["-c", reads, "sh", argument] });
        expect(stdout).toBe(`file=${root}/p,,q/a,,b,x is ${root}/p,q/a,b\ninside`);
        expect(line).toContain(` file=${root}/p,,q/a,,b,x`);
      }
    }
  });

  it("may have a name of any bytes, and so may plain arguments", async () => {
    await writeNew(directory, "a\udcff 'b", "odd");
    const args = ["-c", 'cat "$1"; printf %s "$2"', "sh", { in: directory, name: "a\udcff 'b" }, "\udcfe;x"];
    const result = await hosts.local.run({ program: "sh", args });
    expect(result).toMatchObject({ stdout: "odd\udcfe;x", stderr: "", exitStatus: 0 });
    expect(readdirSync(temporaryDirectory)).toEqual([]);
  });
});

function running(commandLine: string): number {
  const lines = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return lines.filter((pid) => {
    try {
      // A zombie has no status of sleeping.
      return (
        /State:\s+[SRD]/.test(read(`/proc/${pid}/status`)) &&
        read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() === commandLine
      );
    } catch {
      return false;
    }
  }).length;
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
