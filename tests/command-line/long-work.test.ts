import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { type FuseMount, fuseRequirements, mountFuse } from "../support/fuse.js";
import { missing } from "../support/requirements.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { CISTERN, runCistern } from "./cistern.js";
import { stage } from "./stage.js";
import { Terminal, terminalRequirements } from "./terminal.js";

const CLEAR_LINE = "\r\u001b[K";
const unavailable = cisterndUnavailable();

describe("work that takes long", () => {
  const own = stage({
    async prepare({ path, cistern }) {
      await cistern(["pool-create-as", "p", "dir", "--target", path("p"), "--build"]);
      await cistern(["vol-create-as", "p", "a", "2G"]);
    },
  });
  const cistern = (args: readonly string[], columns?: number) => own.cistern(args, { columns });

  it.each([80, 120])("has a line on a terminal of %i columns that is drawn over and cleared", async (columns) => {
    const { stdout, stderr } = await cistern(["vol-wipe", "a", "p", "--algorithm", "random"], columns);
    expect(stdout).toBe("Vol a wiped\n\n");
    const lines = stderr.split(CLEAR_LINE);
    expect(lines.at(-1)).toBe("");
    expect(lines.some((line) => /^wipe volume .*2\.00 GiB \(\d+ %\), .*\/s, \d+ s left$/.test(line))).toBe(true);
    expect(lines.some((line) => /\[#+ *\]/.test(line))).toBe(columns > 80);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(columns);
  });

  it("a transfer has one too", async () => {
    const { stderr } = await cistern(["vol-download", "a", own.path("out"), "p"], 120);
    expect(stderr).toMatch(
      /download volume 'a' {2}\[#* *\] {2}\d+\.\d\d .iB of 2\.00 GiB \(\d+ %\), .*\/s, \d+ s left/,
    );
    await rm(own.path("out"));
  });

  it("is silent where nobody watches and where quiet is wanted", async () => {
    expect((await cistern(["vol-wipe", "a", "p"])).stderr).toBe("");
    expect((await cistern(["-q", "vol-wipe", "a", "p"], 120)).stderr).toBe("");
  });

  it("ends at the daemon with Ctrl-C, which says what was undone", async () => {
    const args = [CISTERN, "-c", own.socket, "vol-clone", "a", "b", "p", "--format", "qcow2", "--prealloc-metadata"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    const ended = once(child, "exit");
    const jobs = async () => (await cistern(["jobs"])).stdout;
    await expect.poll(jobs, { timeout: 20_000, interval: 20 }).toMatch(/running +(clone|convert) +p +b/);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(await stdout).toBe("");
    expect(await stderr).toMatch(/^cistern: .*operation aborted.*\nhint: the new volume was removed again\n$/);
    await expect(stat(own.path("p", "b"))).rejects.toThrow("ENOENT");
    expect((await cistern(["vol-info", "b", "p"])).status).toBe(3);
  });
});

const CTRL_C = "\u0003";
const cannotHang = unavailable ?? missing(fuseRequirements) ?? missing(terminalRequirements) ?? undefined;

describe("the creation of a pool on storage that hangs", () => {
  let root: string;
  let daemon: RootedDaemon;
  let mount: FuseMount;

  beforeAll(async () => {
    if (cannotHang !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "lp-"));
    for (const directory of ["backing", "mounted"]) await mkdir(join(root, directory));
    await writeFile(join(root, "backing/one.img"), "one");
    await writeFile(
      join(root, "pool.xml"),
      `<pool type="dir"><name>slow</name><target><path>${join(root, "mounted")}</path></target></pool>`,
    );
    daemon = await RootedDaemon.prepare(join(root, "d"));
    await daemon.start();
    mount = await mountFuse(join(root, "backing"), join(root, "mounted"));
  });
  beforeEach(({ skip }) => {
    if (cannotHang !== undefined) skip(cannotHang);
  });
  afterAll(async () => {
    if (cannotHang !== undefined) return;
    await mount.unmount();
    await daemon.stop();
    await rm(root, { recursive: true, force: true });
  });

  const cistern = (...args: string[]) => runCistern(["--root", daemon.root, ...args]);

  it.each([
    ["pool-create", "pool.xml", "the pool was not created"],
    ["pool-create-as", "slow dir --target mounted", "the pool was not created"],
    ["pool-create", "pool.xml --build", "the pool was not created; what had been built for it stays"],
  ])("shows a line, and ends with Ctrl-C as if it had not begun: %s %s", async (command, words, left) => {
    mount.hang();
    const line = `'${process.execPath}' '${CISTERN}' --root '${daemon.root}' ${command} ${words.replace("mounted", join(root, "mounted"))}`;
    await using terminal = new Terminal(line, { directory: root });
    await terminal.shows([`${CLEAR_LINE}start pool 'slow'`]);
    terminal.press(CTRL_C);
    expect(await terminal.status()).toBe(130);
    mount.recover();
    const last = terminal.screen.split(CLEAR_LINE).at(-1);
    expect(last).toMatch(/^cistern: .*operation aborted.*\r\nhint: /);
    expect(last).toContain(`hint: ${left}\r\n`);

    expect((await cistern("pool-info", "slow")).status).toBe(3);
    expect((await cistern("jobs")).stdout).not.toContain("slow");
    expect(await readdir(join(root, "backing"))).toEqual(["one.img"]);
    await daemon.stop();
    await daemon.start();
    expect((await cistern("pool-list", "--all", "--name")).stdout.trim()).toBe("");
    expect(
      (await cistern(command, ...words.replace(/mounted|pool.xml/, (path) => join(root, path)).split(" "))).status,
    ).toBe(0);
    expect((await cistern("vol-list", "slow")).stdout).toContain("one.img");
    expect((await cistern("pool-destroy", "slow")).status).toBe(0);
  });
});
