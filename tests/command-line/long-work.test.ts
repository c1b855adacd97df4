import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { CISTERN, runCistern } from "./cistern.js";

const CLEAR_LINE = "\r\u001b[K";
const unavailable = cisterndUnavailable();

describe("work that takes long", () => {
  let root: string;
  let daemon: RootedDaemon;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "lw-"));
    daemon = await RootedDaemon.prepare(join(root, "d"));
    await daemon.start();
    await cistern(["pool-create-as", "p", "dir", "--target", join(root, "p"), "--build"]);
    await cistern(["vol-create-as", "p", "a", "2G"]);
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await daemon.stop();
    await rm(root, { recursive: true, force: true });
  });

  function cistern(args: readonly string[], columns?: number) {
    return runCistern(["--root", daemon.root, ...args], { columns });
  }

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
    const { stderr } = await cistern(["vol-download", "a", join(root, "out"), "p"], 120);
    expect(stderr).toMatch(
      /download volume 'a' {2}\[#* *\] {2}\d+\.\d\d .iB of 2\.00 GiB \(\d+ %\), .*\/s, \d+ s left/,
    );
    await rm(join(root, "out"));
  });

  it("is silent where nobody watches and where quiet is wanted", async () => {
    expect((await cistern(["vol-wipe", "a", "p"])).stderr).toBe("");
    expect((await cistern(["-q", "vol-wipe", "a", "p"], 120)).stderr).toBe("");
  });

  it("ends at the daemon with Ctrl-C, which says what was undone", async () => {
    const args = [
      CISTERN,
      "--root",
      daemon.root,
      "vol-clone",
      "a",
      "b",
      "p",
      "--format",
      "qcow2",
      "--prealloc-metadata",
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    const ended = once(child, "exit");
    const jobs = async () => (await cistern(["jobs"])).stdout;
    await expect.poll(jobs, { timeout: 20_000, interval: 20 }).toMatch(/running +(clone|convert) +p +b/);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(await stdout).toBe("");
    expect(await stderr).toMatch(/^cistern: .*operation aborted.*\nhint: the new volume was removed again\n$/);
    await expect(stat(join(root, "p", "b"))).rejects.toThrow("ENOENT");
    expect((await cistern(["vol-info", "b", "p"])).status).toBe(3);
  });
});
