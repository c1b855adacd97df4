import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { type FuseMount, fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { type Host, Hosts, killOrphans, MARKER_VARIABLE } from "../../dist/host/index.js";
import { codeOf, scratchDirectory, text } from "./support.ts";

const reason = missing({
  ...fuseRequirements,
  root: true,
  programs: ["setpriv", ...(fuseRequirements.programs ?? [])],
});
const root = scratchDirectory();
const somebody = { owner: 4_321, group: 8_765 };
const newFile = { mode: 0o600, owner: -1, group: -1, label: null };
let counter = 0;
let place: string;
let hosts: Hosts;
let mount: FuseMount;
let mounted: string;

beforeEach(async (context) => {
  context.skip(reason !== null, reason ?? "");
  place = `${root}/${counter++}`;
  mounted = `${place}/mounted`;
  for (const name of ["source", "mounted", "private"]) mkdirSync(`${place}/${name}`, { recursive: true });
  hosts = new Hosts({ remoteTimeoutMs: 5_000, marker: place });
  mount = await mountFuse(`${place}/source`, mounted);
  return async () => {
    await hosts.close();
    await mount.unmount();
  };
});

async function asSomebody(): Promise<Host> {
  const host = await (await hosts.forPath(mounted)).as?.(mounted, somebody);
  if (host == null) throw new Error("nobody else can make calls here");
  return host;
}

describe("calls in the name of another user", () => {
  it("local storage obeys root: there is nobody to become", async () => {
    expect(await hosts.local.as?.(place, somebody)).toBeNull();
  });

  it("the local home finds the user's home of a path as well", async () => {
    expect(await hosts.local.as?.(mounted, somebody)).toBe(await asSomebody());
  });

  it("what is made is his, in every kind of thread", async () => {
    const host = await asSomebody();
    await using directory = await host.openDirectory(mounted);
    await using file = await directory.createNamed("made", newFile);
    await file.write(0n, Buffer.from("by somebody"));
    await host.makeDirectory(`${mounted}/sub`, 0o700);
    await (await directory.open("opened", { access: "write", create: "exclusive" })).close();
    for (const name of ["made", "sub", "opened"]) {
      expect(statSync(`${mounted}/${name}`), name).toMatchObject({ uid: somebody.owner, gid: somebody.group });
    }
    const entries = [];
    for await (const batch of directory.scan({ headBytes: 16, windows: [] })) entries.push(...batch);
    expect(entries.map(({ name }) => name).sort()).toEqual(["made", "opened", "sub"]);
  });

  it("root's calls stay root's", async () => {
    await asSomebody();
    await using directory = await (await hosts.forPath(mounted)).openDirectory(mounted);
    await (await directory.createNamed("roots", newFile)).close();
    expect(statSync(`${mounted}/roots`).uid).toBe(0);
  });

  it("a command runs as him, and may read what the daemon hands it", async () => {
    writeFileSync(`${place}/private/passphrase`, "secret", { mode: 0o600 });
    await using directory = await (await asSomebody()).openDirectory(mounted);
    await using own = await hosts.local.openDirectory(`${place}/private`);
    const { host } = directory;
    const file = { in: own, name: "passphrase" };
    const copied = await host.run({ program: "cp", args: [file, { in: directory, name: "copy" }] });
    expect(copied).toMatchObject({ exitStatus: 0, stderr: "" });
    expect(readFileSync(`${mounted}/copy`, "utf8")).toBe("secret");
    expect(statSync(`${mounted}/copy`)).toMatchObject({ uid: somebody.owner, gid: somebody.group });
    const { stdout } = await host.run({ program: "setpriv", args: ["--dump"] });
    expect(stdout).toContain(`uid: ${somebody.owner}\neuid: ${somebody.owner}\n`);
    expect(stdout).toContain("Ambient capabilities: dac_override,dac_read_search\n");
    expect(stdout).toContain("Parent death signal: KILL");
  });

  it("a file that the program knows by name is reached through a directory of the command's own", async () => {
    await using directory = await (await asSomebody()).openDirectory(mounted);
    await using file = await directory.createNamed("content", newFile);
    await file.write(0n, Buffer.from("content"));
    const { stdout } = await directory.host.run({ program: "cat", args: [{ file, name: "content" }] });
    expect(stdout).toBe("content");
  });

  it("the user can neither signal the process nor look into it", async () => {
    await using directory = await (await asSomebody()).openDirectory(mounted);
    const { stdout } = await directory.host.run({ program: "sh", args: ["-c", "echo $PPID"] });
    const pid = stdout.trim();
    // The dump names real, effective, saved and file-system ids.
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toContain(`Uid:\t0\t${somebody.owner}\t0\t${somebody.owner}\n`);
    const script = `kill -USR1 ${pid}; cat /proc/${pid}/environ; ls /proc/${pid}/fd`;
    const ids = ["--reuid", `${somebody.owner}`, "--regid", `${somebody.group}`, "--clear-groups"];
    const { stderr } = await hosts.local.run({ program: "setpriv", args: [...ids, "sh", "-c", script] });
    expect(stderr.match(/not permitted|denied/g)).toHaveLength(3);
  });

  it("clones within the mount go on when source and target are of different users", async () => {
    await using theirs = await (await asSomebody()).openDirectory(mounted);
    await using ours = await (await hosts.forPath(mounted)).openDirectory(mounted);
    await using source = await theirs.createNamed("source", newFile);
    await source.write(0n, Buffer.from("content"));
    await using target = await ours.createNamed("target", newFile);
    await target.copyRange(source, 0n, 0n, 7n);
    expect(text(await target.read(0n, 7))).toBe("content");
    expect(await codeOf(target.cloneFrom(source))).toBe("EXDEV");
  });
});

describe("a command that leaves something running", () => {
  const background = (leavesRunning: boolean) => ({
    program: "sh",
    args: ["-c", "setsid sleep 30 >/dev/null 2>&1 & echo $!"],
    leavesRunning,
  });

  it.each([false, true])("leavesRunning %s: the next daemon ends what is not to stay", async (leavesRunning) => {
    const { stdout } = await hosts.local.run(background(leavesRunning));
    const pid = Number(stdout);
    const { killed } = await killOrphans(place);
    expect(killed.filter((each) => each.includes("sleep 30"))).toHaveLength(leavesRunning ? 0 : 1);
    if (leavesRunning) process.kill(pid, "SIGKILL");
    expect(MARKER_VARIABLE).toBe("CISTERN_STATE");
  });

  it("is not run by the child, which storage may hold up", async () => {
    const host = await hosts.forPath(mounted);
    await host.facts(mounted);
    mount.hang();
    const result = await host.run({ program: "sh", args: ["-c", "echo $PPID"] });
    expect(Number(result.stdout)).toBe(process.pid);
    mount.recover();
  });
});
