import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { CISTERN, runCistern } from "./cistern.js";

const DEADLINE_MS = 20_000;
const BYTES = 4096;
const NAMES = ["a b", `it's "quoted"`, "größe-日本-😀", "new\nline", "-dash", "--two", "$(x) `y` \\z", "e\u0301"];

/** libvirt has no pools with a line end in their name. */
const POOL_NAMES = NAMES.filter((name) => !name.includes("\n"));

describe("a volume of any name", () => {
  let root: string;
  let daemon: RootedDaemon;
  const unavailable = cisterndUnavailable();

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "cn-"));
    daemon = await RootedDaemon.prepare(join(root, "d"));
    await daemon.start();
    await mkdir(join(root, "p"));
    for (const name of NAMES) await writeFile(join(root, "p", name), Buffer.alloc(BYTES));
    await runCistern(["--root", daemon.root, "pool-create-as", "p", "dir", "--target", join(root, "p")]);
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await daemon.stop();
    await rm(root, { recursive: true, force: true });
  });

  /** The program as its own process, in a locale. */
  function cistern(locale: string, ...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const env = { ...process.env, LC_ALL: locale, CISTERN_URI: daemon.socket };
    return new Promise((resolve) => {
      execFile(process.execPath, [CISTERN, ...args], { timeout: DEADLINE_MS, env }, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      });
    });
  }

  /** A command line as somebody copies it from the terminal. */
  async function throughShell(line: string): Promise<string> {
    const script = `cistern() { "$NODE" "$CISTERN" "$@"; }\n${line}`;
    const env = { ...process.env, NODE: process.execPath, CISTERN, CISTERN_URI: daemon.socket };
    return (await promisify(execFile)("/bin/sh", ["-c", script], { timeout: DEADLINE_MS, env })).stdout;
  }

  it.each(["C", "C.UTF-8", "nonsense"])("is listed and found with LC_ALL=%s", async (locale) => {
    const { stdout } = await cistern(locale, "vol-list", "p", "--output", "json");
    const listed = JSON.parse(stdout) as { name: string }[];
    expect(listed.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
    const name = "größe-日本-😀";
    expect(await cistern(locale, "vol-path", name, "p")).toEqual({
      status: 0,
      stdout: `${join(root, "p", name)}\n\n`,
      stderr: "",
    });
  });

  it("is one line of a terminal", async () => {
    const { stdout } = await runCistern(["--root", daemon.root, "vol-list", "p"], { columns: 80 });
    expect(stdout).toContain(" new\\x0aline ");
    expect(stdout.trimEnd().split("\n")).toHaveLength(NAMES.length + 2);
  });

  it.each(NAMES)("%j is explained by its place, alone and with others of its pool", async (name) => {
    const at = ["--root", daemon.root, "--output", "json"];
    const explained = await runCistern([...at, "explain", "--", `p/${name}`]);
    expect(JSON.parse(explained.stdout)).toMatchObject({ pool: "p", volume: name, verdict: "unknown" });
    expect(await runCistern([...at, "attachments", "--volume", `p/${name}`])).toMatchObject({ status: 0, stderr: "" });
  });

  it.each(POOL_NAMES)("%j may be a pool's, also in a hint's command", async (name) => {
    const at = ["--root", daemon.root];
    const ask = async (...words: string[]): Promise<string> => {
      const { status, stdout, stderr } = await runCistern([...at, ...words]);
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
      return stdout;
    };
    const target = ["--type", "dir", "--target", join(root, "q")];
    expect(await ask("pool-define-as", ...target, "--", name)).toBe(`Pool ${name} defined\n\n`);
    await ask("pool-start", "--build", "--", name);
    const listed = JSON.parse(await ask("pool-list", "--output", "json")) as { name: string }[];
    expect(listed.map((pool) => pool.name)).toContain(name);
    const uuid = (await ask("pool-uuid", "--", name)).trim();
    expect(await ask("pool-name", uuid)).toBe(`${name}\n\n`);
    await ask("vol-create-as", "--pool", name, "--name", name, "--capacity", "1M");
    const volume = JSON.parse(await ask("vol-info", "--output", "json", "--pool", name, "--vol", name)) as object;
    expect(volume).toMatchObject({ name, pool: name, path: join(root, "q", name) });
    await ask("vol-delete", "--pool", name, "--", name);
    const { stderr } = await runCistern([...at, "pool-undefine", "--", name]);
    const hint = /^hint: (.*) stops it;/m.exec(stderr)?.[1] ?? "";
    expect(await throughShell(hint)).toBe(`Pool ${name} destroyed\n\n`);
    await ask("pool-undefine", "--", name);
  });

  it.each(NAMES)("%j is shown, copied and deleted", async (name) => {
    const at = ["--root", daemon.root];
    const info = await runCistern([...at, "vol-info", "--output", "json", "--pool", "p", "--", name]);
    expect(JSON.parse(info.stdout)).toMatchObject({ name, capacityBytes: BYTES });
    expect((await runCistern([...at, "vol-key", "--pool", "p", "--", name])).stdout).toBe(
      `${join(root, "p", name)}\n\n`,
    );
    await runCistern([...at, "vol-clone", "--pool", "p", "--", name, `${name}.copy`]);
    expect((await stat(join(root, "p", `${name}.copy`))).size).toBe(BYTES);
    const out = join(root, "out");
    await runCistern([...at, "vol-download", "--pool", "p", "--", name, out]);
    expect(await readFile(out)).toEqual(Buffer.alloc(BYTES));
    await runCistern([...at, "vol-delete", "--pool", "p", "--", `${name}.copy`, name]);
    await expect(stat(join(root, "p", name))).rejects.toThrow("ENOENT");
  });
});
