import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { CISTERN } from "./cistern.js";
import { stage } from "./stage.js";

const DEADLINE_MS = 20_000;
const BYTES = 4096;
const NAMES = ["a b", `it's "quoted"`, "größe-日本-😀", "new\nline", "-dash", "--two", "$(x) `y` \\z", "e\u0301"];

/** libvirt has no pools with a line end in their name. */
const POOL_NAMES = NAMES.filter((name) => !name.includes("\n"));

describe("a volume of any name", () => {
  const own = stage({
    async prepare({ path, cistern }) {
      await mkdir(path("p"));
      for (const name of NAMES) await writeFile(path("p", name), Buffer.alloc(BYTES));
      await cistern(["pool-create-as", "p", "dir", "--target", path("p")]);
    },
  });
  /** A command line as somebody copies it from the terminal. */
  async function throughShell(line: string): Promise<string> {
    const script = `cistern() { "$NODE" "$CISTERN" "$@"; }\n${line}`;
    const env = { ...process.env, NODE: process.execPath, CISTERN, CISTERN_URI: own.socket };
    return (await promisify(execFile)("/bin/sh", ["-c", script], { timeout: DEADLINE_MS, env })).stdout;
  }

  it.each(["C", "C.UTF-8", "nonsense"])("is listed and found with LC_ALL=%s", async (locale) => {
    const { stdout } = await own.program(["vol-list", "p", "--output", "json"], { LC_ALL: locale });
    const listed = JSON.parse(stdout) as { name: string }[];
    expect(listed.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
    const name = "größe-日本-😀";
    expect(await own.program(["vol-path", name, "p"], { LC_ALL: locale })).toEqual({
      status: 0,
      stdout: `${own.path("p", name)}\n\n`,
      stderr: "",
    });
  });

  it.each(["vol-info", "vol-delete", "vol-upload"])(
    "is not taken for another where an argument is not UTF-8: %s",
    async (command) => {
      const alike = ["caf\ufffd", "b\ufffd"];
      for (const name of alike) await writeFile(own.path("p", name), "");
      await own.cistern(["pool-refresh", "p"]);
      // Node can hand no such bytes to a program.
      const said = `${command} --pool p --vol "$(printf 'caf\\351')" ${command === "vol-upload" ? "/dev/null" : ""}`;
      const refused = (more = "") =>
        throughShell(`cistern ${said} ${more}`).then(
          () => null,
          ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
        );
      const reason = 'the argument "caf\\xe9" is not UTF-8, and cannot be understood as it was meant';
      const stderr = `cistern: ${reason}\n(cistern --help shows what there is)\n`;
      expect(await refused()).toEqual({ code: 2, stdout: "", stderr });
      const json = await refused("--output json");
      expect(json).toMatchObject({ code: 2, stdout: "" });
      expect(JSON.parse(json?.stderr ?? "").error.message).toContain("is not UTF-8");

      // Somebody may have meant that letter.
      for (const name of alike) expect((await own.program(["vol-delete", name, "p"])).status).toBe(0);
    },
  );

  it("is one line of a terminal", async () => {
    const { stdout } = await own.cistern(["vol-list", "p"], { columns: 80 });
    expect(stdout).toContain(" new\\x0aline ");
    expect(stdout.trimEnd().split("\n")).toHaveLength(NAMES.length + 2);
  });

  it.each(NAMES)("%j is explained by its place, alone and with others of its pool", async (name) => {
    const explained = await own.cistern(["--output", "json", "explain", "--", `p/${name}`]);
    expect(JSON.parse(explained.stdout)).toMatchObject({ pool: "p", volume: name, verdict: "unknown" });
    expect(await own.cistern(["--output", "json", "attachments", "--volume", `p/${name}`])).toMatchObject({
      status: 0,
      stderr: "",
    });
  });

  it.each(POOL_NAMES)("%j may be a pool's, also in a hint's command", async (name) => {
    const ask = async (...words: string[]): Promise<string> => {
      const { status, stdout, stderr } = await own.cistern(words);
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
      return stdout;
    };
    const target = ["--type", "dir", "--target", own.path("q")];
    expect(await ask("pool-define-as", ...target, "--", name)).toBe(`Pool ${name} defined\n\n`);
    await ask("pool-start", "--build", "--", name);
    const listed = JSON.parse(await ask("pool-list", "--output", "json")) as { name: string }[];
    expect(listed.map((pool) => pool.name)).toContain(name);
    const uuid = (await ask("pool-uuid", "--", name)).trim();
    expect(await ask("pool-name", uuid)).toBe(`${name}\n\n`);
    await ask("vol-create-as", "--pool", name, "--name", name, "--capacity", "1M");
    const volume = JSON.parse(await ask("vol-info", "--output", "json", "--pool", name, "--vol", name)) as object;
    expect(volume).toMatchObject({ name, pool: name, path: own.path("q", name) });
    await ask("vol-delete", "--pool", name, "--", name);
    const { stderr } = await own.cistern(["pool-undefine", "--", name]);
    const hint = /^hint: (.*) stops it;/m.exec(stderr)?.[1] ?? "";
    expect(await throughShell(hint)).toBe(`Pool ${name} destroyed\n\n`);
    await ask("pool-undefine", "--", name);
  });

  it.each(NAMES)("%j is shown, copied and deleted", async (name) => {
    const info = await own.cistern(["vol-info", "--output", "json", "--pool", "p", "--", name]);
    expect(JSON.parse(info.stdout)).toMatchObject({ name, capacityBytes: BYTES });
    expect((await own.cistern(["vol-key", "--pool", "p", "--", name])).stdout).toBe(`${own.path("p", name)}\n\n`);
    await own.cistern(["vol-clone", "--pool", "p", "--", name, `${name}.copy`]);
    expect((await stat(own.path("p", `${name}.copy`))).size).toBe(BYTES);
    const out = own.path("out");
    await own.cistern(["vol-download", "--pool", "p", "--", name, out]);
    expect(await readFile(out)).toEqual(Buffer.alloc(BYTES));
    await own.cistern(["vol-delete", "--pool", "p", "--", `${name}.copy`, name]);
    await expect(stat(own.path("p", name))).rejects.toThrow("ENOENT");
  });
});
