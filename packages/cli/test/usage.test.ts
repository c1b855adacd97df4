import { readFileSync } from "node:fs";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../dist/commands/table.js";
import { VERSION } from "../dist/version.js";
import { runAlone } from "./run-alone.js";

describe("a wrong command line ends with status 2, the reason and nothing done", () => {
  it.each([
    ["no-such-command", "unknown command 'no-such-command'"],
    ["pool-lst", "Did you mean pool-list?"],
    ["pool list", "Did you mean pool-list?"],
    ["pool-list --actve", "unknown option '--actve'"],
    ["pool-list --output xml", "Allowed choices are text, json, yaml"],
    ["pool-start", "command 'pool-start' requires <pool> option"],
    ["pool-info a b", "unexpected data 'b'"],
    ["pool-define", "command 'pool-define' requires <file> option"],
    ["pool-define-as a", "command 'pool-define-as' requires <type> option"],
    ["pool-define-as a rbd --secret-usage u --secret-uuid v", "mutually exclusive"],
    ["pool-start a --overwrite --no-overwrite", "mutually exclusive"],
    ["pool-build a --overwrite --no-overwrite", "mutually exclusive"],
    ["pool-event", "either --list or --event <type> is required"],
    ["pool-event --event nope", "unknown event type nope"],
    ["pool-event --event refresh --count 0", '"0" is not a whole number above 0'],
    ["vol-create-as p n", "command 'vol-create-as' requires <capacity> option"],
    ["vol-create-as p n 10X", '"10X" is not a size'],
    ["vol-create-as p n 1G --allocation x", '"x" is not a size'],
    ["vol-resize v -- -5M", "negative size requires --shrink"],
    ["vol-resize v +", '"+" is not a size'],
    ["vol-wipe v p --algorithm magic", '"magic" is none of zero, nnsa'],
    ["vol-download v - p --sparse", "--sparse needs a file"],
    ["secret-set-value u", "Input secret value is missing"],
    ["secret-set-value u --file f --base64 b", "Options --file and --base64 are mutually exclusive"],
    ["secret-set-value u --interactive --base64 b", "Options --base64 and --interactive are mutually exclusive"],
    ["secret-set-value u --base64 b --plain", "--plain needs --file"],
    ["secret-event --event nope", "unknown event type nope"],
    ["job-info", "command 'job-info' requires <job> option"],
    ["job-watch x", '"x" is not a whole number above 0'],
    ["vol-create-as p n 8E", '"8E" is too large: no size is above 9223372036854775807 bytes'],
    ["vol-create-as p n 1G --allocation 16E", '"16E" is too large: no size'],
    ["vol-resize v 99999999999G", '"99999999999G" is too large: no size'],
    ["job-limit 1 16E/s", '"16E/s" is too large: no size'],
    ["job-cancel 18446744073709551616", '"18446744073709551616" is too large: no number is above 999999999'],
    ["job-cancel 0", '"0" is not a whole number above 0'],
    ["job-limit 1", "command 'job-limit' requires <rate> option"],
    ["job-limit 1 fast", '"fast" is neither a rate such as 50M or 50MB/s nor "none"'],
    ["--deadline x pool-list", '"x" is not a whole number above 0'],
  ])("%s", async (line, reason) => {
    const { status, stdout, stderr, targets } = await runAlone(line.split(" "));
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/^cistern: /);
    expect({ status, stdout, targets }).toEqual({ status: 2, stdout: "", targets: [] });
  });
});

describe("help", () => {
  it.each([["--help"], ["help"], ["pool-list --help"], ["help vol-create-as"]])("%s", async (line) => {
    const { status, stdout, stderr } = await runAlone(line.split(" "));
    expect(stdout).toContain("Usage: cistern");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("names every command in one line of its own", async () => {
    const { stdout } = await runAlone(["--help"]);
    const named = [...stdout.matchAll(/^ {2}([a-z][a-z-]*) {2,}\w/gm)].map(([, name]) => name);
    expect(named).toEqual([...COMMANDS.map(({ name }) => name), "help"]);
    expect(COMMANDS.length).toBeGreaterThan(40);
  });

  it("says what a command takes as virsh does", async () => {
    const { stdout } = await runAlone(["vol-clone", "--help"]);
    expect(stdout).toContain(
      "Usage: cistern vol-clone <vol> <newname> [--pool <string>] [--prealloc-metadata] [--reflink]",
    );
  });

  it("no command's option has a name that all commands have", async () => {
    const { stdout } = await runAlone(["--help"]);
    const general = [...stdout.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name]) => name);
    expect(general).toContain("connect");
    expect(
      COMMANDS.flatMap(({ parameters }) => Object.keys(parameters)).filter((name) => general.includes(name)),
    ).toEqual([]);
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
    [["--root", "/d"], { CISTERN_URI: "/c" }, "/d/run/libvirt-sock"],
    [["-c", "/s", "--root", "/d"], {}, "/s"],
    [[], { LIBVIRT_DEFAULT_URI: "/l" }, "/l"],
    [[], { CISTERN_URI: "" }, "storage:///system"],
  ] as const)("%j with %j is %s", async (options, environment, target) => {
    const { targets } = await runAlone([...options, "pool-list"], { environment });
    expect(targets).toEqual([target]);
  });

  it("the option may stand behind the command", async () => {
    expect((await runAlone(["pool-list", "--connect", "/s"])).targets).toEqual(["/s"]);
  });

  it("a user without a daemon of their own is sent to the system's", async () => {
    const { targets } = await runAlone(["pool-list"], {
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
    [ErrorCode.OPERATION_INVALID, "storage pool 'not in use' is not active", 1],
    [ErrorCode.NO_STORAGE_POOL, "p", 3],
    [ErrorCode.NO_STORAGE_VOL, "v", 3],
    [ErrorCode.NO_SECRET, "s", 3],
    [ErrorCode.NO_DOMAIN, "no domain with matching name or uuid 'd'", 3],
    [ErrorCode.DEVICE_MISSING, "guest 'd' has no such disk", 3],
    [ErrorCode.AUTH_FAILED, "no", 4],
    [ErrorCode.AUTH_CANCELLED, "no", 4],
    [ErrorCode.AUTH_UNAVAILABLE, "no agent", 4],
    [ErrorCode.ACCESS_DENIED, "no", 4],
    [ErrorCode.OPERATION_DENIED, "read only access prevents it", 4],
    [ErrorCode.OPERATION_INVALID, "volume 'v' is still in use.", 5],
    [ErrorCode.INTERNAL_ERROR, "pool 'p' has asynchronous jobs running.", 5],
    [ErrorCode.INVALID_ARG, "no job with id 7", 3],
    [ErrorCode.INVALID_ARG, "no job with id 7 has a name", 1],
    [ErrorCode.OPERATION_INVALID, "cannot delete partition: it is in use", 5],
    [ErrorCode.RESOURCE_BUSY, "no", 5],
  ])("code %i, %s: %i", async (code, detail, status) => {
    const connect = () => Promise.reject(LibvirtError.of(code, ErrorDomain.STORAGE, detail));
    expect((await runAlone(["pool-list"], { connect })).status).toBe(status);
  });

  it("and its reason on standard error", async () => {
    expect(await runAlone(["pool-list", "-c", "x"])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "cistern: no connection driver available for x\n",
    });
  });

  it("and as JSON where JSON was asked for", async () => {
    const { status, stderr } = await runAlone(["--output", "json", "pool-list", "-c", "x"]);
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 5, name: "NO_CONNECT", domain: 13, message: "no connection driver available for x" },
    });
  });

  it("and what a server says cannot command the terminal", async () => {
    const { stderr } = await runAlone(["pool-list"], {
      connect: () => Promise.reject(LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, "a\u001b[2Jb")),
    });
    expect(stderr).toBe("cistern: internal error: a\\x1b[2Jb\n");
  });

  it.each([
    ["pool-define /no/such/file", "cannot read the file '/no/such/file': no such file or directory"],
    ["pool-create /no/such/file", "cannot read the file '/no/such/file': no such file or directory"],
    ["secret-define /", "cannot read the file '/': illegal operation on a directory"],
    ["vol-create p /dev/null/x", "cannot read the file '/dev/null/x': not a directory"],
    ["vol-create-from p /no/such/file v", "cannot read the file '/no/such/file': no such file or directory"],
    ["find-storage-pool-sources logical /no/file", "cannot read the file '/no/file': no such file or directory"],
  ])("%s says what was done to which file, and why it failed", async (line, reason) => {
    expect(await runAlone(line.split(" "))).toEqual({
      status: 1,
      stdout: "",
      stderr: `cistern: ${reason}\n`,
      targets: [],
    });
  });

  it("an interrupted one ends with status 130", async () => {
    expect((await runAlone(["pool-list"], { signal: AbortSignal.abort() })).status).toBe(130);
  });
});
