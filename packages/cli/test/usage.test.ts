import { readFileSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { run, type Surroundings } from "../dist/index.js";
import { VERSION } from "../dist/version.js";

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What a connection was asked to; empty: the command line was refused before. */
  readonly targets: readonly string[];
}

/** Runs a command line where every connection fails: what is looked at happens before, or is that failure. */
async function runAlone(args: readonly string[], changes: Partial<Surroundings> = {}): Promise<Result> {
  const written = { stdout: "", stderr: "" };
  const into = (name: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const targets: string[] = [];
  const status = await run(args, {
    stdout: into("stdout"),
    stderr: into("stderr"),
    stdin: Readable.from([]),
    environment: {},
    userId: 0,
    signal: new AbortController().signal,
    connect: async (target) => {
      targets.push(target);
      throw LibvirtError.of(ErrorCode.NO_CONNECT, ErrorDomain.REMOTE, target);
    },
    ...changes,
  });
  return { status, ...written, targets };
}

describe("a wrong command line ends with status 2, the reason and nothing done", () => {
  it.each([
    ["no-such-command", "unknown command 'no-such-command'"],
    ["pool lst", "Did you mean list?"],
    ["pool", "Usage: cistern pool"],
    ["pool list --actve", "unknown option '--actve'"],
    ["pool list --active --inactive", "--active and --inactive exclude each other"],
    ["pool start", "missing required argument 'pool'"],
    ["pool define", "Give a file, or --name and --directory"],
    ["pool define file.xml --name a", "not both"],
    ["pool define --name a --directory relative", 'needs an absolute path, not "relative"'],
    ["pool start a --overwrite", "--overwrite needs --build"],
    ["pool build a --overwrite --keep-existing", "exclude each other"],
    ["volume create p", "Give a name and a size, or --xml"],
    ["volume create p n 10X", '"10X" is not a size'],
    ["volume create p n 1G --allocation x", '"x" is not a size'],
    ["volume create p n 1G --xml f", "--xml says everything"],
    ["volume create p n 1G --backing-format raw", "--backing-format needs --backing"],
    ["volume resize p v +", '"" is not a size'],
    ["volume wipe p v --algorithm magic", "Allowed choices are zero, nnsa"],
    ["volume download p v - --sparse", "--sparse needs a file"],
    ["events --count 0", '"0" is not a whole number above 0'],
    ["job", "Usage: cistern job"],
    ["job show", "missing required argument 'id'"],
    ["job watch x", '"x" is not a whole number above 0'],
    ["job cancel 0", '"0" is not a whole number above 0'],
    ["job limit 1", "missing required argument 'rate'"],
    ["job limit 1 fast", '"fast" is neither a rate such as 50M or 50MB/s nor "none"'],
    ["--timeout x pool list", '"x" is not a whole number above 0'],
  ])("%s", async (line, reason) => {
    const { status, stdout, stderr, targets } = await runAlone(line.split(" "));
    expect(stderr).toContain(reason);
    expect({ status, stdout, targets }).toEqual({ status: 2, stdout: "", targets: [] });
  });
});

describe("help", () => {
  it.each([["--help"], ["help"], ["pool --help"], ["volume create --help"], ["help volume"]])("%s", async (line) => {
    const { status, stdout, stderr } = await runAlone(line.split(" "));
    expect(stdout).toContain("Usage: cistern");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("names every command", async () => {
    const helps = ["pool", "volume", "job"].map((name) => runAlone([name, "--help"]));
    const [pool, volume, job] = await Promise.all(helps);
    for (const name of [
      "list",
      "info",
      "show",
      "start",
      "stop",
      "refresh",
      "define",
      "undefine",
      "build",
      "delete",
      "autostart",
    ]) {
      expect(pool?.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    for (const name of [
      "list",
      "info",
      "show",
      "inspect",
      "create",
      "delete",
      "clone",
      "resize",
      "upload",
      "download",
      "wipe",
    ]) {
      expect(volume?.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    for (const name of ["list", "show", "watch", "cancel", "limit"]) {
      expect(job?.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
  });

  it("--version prints the version of package.json", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(VERSION).toBe(manifest.version);
    expect((await runAlone(["--version"])).stdout).toBe(`${VERSION}\n`);
  });
});

describe("where to connect", () => {
  it.each([
    [["--connect", "/s"], { CISTERN_URI: "/c", LIBVIRT_DEFAULT_URI: "/l" }, "/s"],
    [["-c", "/s"], {}, "/s"],
    [[], { CISTERN_URI: "/c", LIBVIRT_DEFAULT_URI: "/l" }, "/c"],
    [[], { LIBVIRT_DEFAULT_URI: "/l" }, "/l"],
    [[], { CISTERN_URI: "" }, "storage:///system"],
  ] as const)("%j with %j is %s", async (options, environment, target) => {
    const { targets } = await runAlone([...options, "pool", "list"], { environment });
    expect(targets).toEqual([target]);
  });

  it("the option may stand behind the command", async () => {
    expect((await runAlone(["pool", "list", "--connect", "/s"])).targets).toEqual(["/s"]);
  });

  it("a user without a daemon of their own is sent to the system's", async () => {
    const { targets } = await runAlone(["pool", "list"], {
      userId: 1000,
      environment: { XDG_RUNTIME_DIR: "/nowhere" },
    });
    expect(targets).toEqual(["storage:///system"]);
  });
});

describe("a failure ends with a status of its kind", () => {
  it.each([
    [ErrorCode.INTERNAL_ERROR, "no", 1],
    [ErrorCode.OPERATION_INVALID, "storage pool 'p' is not active", 1],
    [ErrorCode.NO_STORAGE_POOL, "p", 3],
    [ErrorCode.NO_STORAGE_VOL, "v", 3],
    [ErrorCode.NO_SECRET, "s", 3],
    [ErrorCode.AUTH_FAILED, "no", 4],
    [ErrorCode.AUTH_CANCELLED, "no", 4],
    [ErrorCode.OPERATION_DENIED, "read only access prevents it", 4],
    [ErrorCode.OPERATION_INVALID, "volume 'v' is still in use.", 5],
    [ErrorCode.RESOURCE_BUSY, "no", 5],
  ])("code %i, %s: %i", async (code, detail, status) => {
    const connect = () => Promise.reject(LibvirtError.of(code, ErrorDomain.STORAGE, detail));
    expect((await runAlone(["pool", "list"], { connect })).status).toBe(status);
  });

  it("and its reason on standard error", async () => {
    expect(await runAlone(["pool", "list", "-c", "x"])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "cistern: no connection driver available for x\n",
    });
  });

  it("and as JSON where JSON was asked for", async () => {
    const { status, stderr } = await runAlone(["--json", "pool", "list", "-c", "x"]);
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 5, name: "NO_CONNECT", domain: 13, message: "no connection driver available for x" },
    });
  });

  it("and what a server says cannot command the terminal", async () => {
    const { stderr } = await runAlone(["pool", "list"], {
      connect: () => Promise.reject(LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, "a\u001b[2Jb")),
    });
    expect(stderr).toBe("cistern: internal error: a\\x1b[2Jb\n");
  });

  it("a file that is not there is named", async () => {
    expect((await runAlone(["pool", "define", "/no/such/file"])).stderr).toContain("/no/such/file");
  });

  it("an interrupted one ends with status 130", async () => {
    expect((await runAlone(["pool", "list"], { signal: AbortSignal.abort() })).status).toBe(130);
  });
});
