import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../packages/cli/dist/commands/table.js";
import { cisterndUnavailable } from "../support/cisternd.js";
import { CISTERN, runCistern } from "./cistern.js";
import { stage } from "./stage.js";

const BASH = "/bin/bash";
const DEADLINE_MS = 20_000;
const unavailable = cisterndUnavailable() ?? (existsSync(BASH) ? undefined : "needs the package bash");

describe("command lines of cistern", () => {
  let script: string;
  const own = stage({
    unavailable,
    async prepare({ path, cistern }) {
      await symlink(CISTERN, path("cistern"));
      script = path("completion.bash");
      await writeFile(script, (await cistern(["completion", "bash"])).stdout);
      for (const name of ["images", "isos", "my pool's"]) {
        await cistern(["pool-create-as", name, "dir", "--target", path(name), "--build"]);
      }
      await cistern(["vol-create-as", "images", "disk a.raw", "1M"]);
      await cistern(["vol-create-as", "isos", "install.iso", "1M"]);
    },
  });

  /** What bash offers where Tab is pressed at the end of the last word. */
  async function offered(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
    const program = `source "$1"; shift; COMP_WORDS=(cistern); COMP_LINE="cistern $*"; COMP_POINT=\${#COMP_LINE}; _cistern; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)(BASH, ["-c", program, "bash", script, ...words], {
      timeout: DEADLINE_MS,
      env: { ...process.env, PATH: `${own.root}:${process.env["PATH"]}`, CISTERN_URI: own.socket, ...environment },
    });
    return stdout.split("\n").filter((line) => line !== "");
  }

  it("begin with every command there is", async () => {
    expect(await offered([""])).toEqual(COMMANDS.map(({ name }) => name));
    expect(await offered(["pool-s"])).toEqual(["pool-start"]);
  });

  it.each([
    [
      ["pool-start", "--o"],
      ["--overwrite", "--output"],
    ],
    [["pool-start", "images", "--build", "--bu"], []],
    [["--out"], ["--output"]],
    [
      ["pool-list", "--output", ""],
      ["text", "json", "yaml"],
    ],
    [
      ["pool-start", "i"],
      ["images", "isos"],
    ],
    [
      ["pool-start", "images", ""],
      ["images", "isos", "my\\ pool\\'s"],
    ],
    [["pool-info", "--pool", "im"], ["images"]],
    [["vol-info", "--pool", "images", ""], ["disk\\ a.raw"]],
    [["vol-info", "disk\\ "], ["disk\\ a.raw"]],
    [["vol-info", "disk\\ a.raw", "is"], ["isos"]],
    [["vol-inspect", "isos", ""], ["install.iso"]],
    [["explain", "is"], ["isos/install.iso"]],
    [["vol-wipe", "v", "--algorithm", "g"], ["gutmann"]],
    [["vol-upload", "install.iso", ""], []],
    [["pool-name", "x", ""], []],
    [["completion", "f"], ["fish"]],
    [["vol-info", "--pool=im"], ["images"]],
    [["vol-info", "--pool=isos", ""], ["install.iso"]],
    [["pool-list", "--output=j"], ["json"]],
    [["pool-start", '"my'], ["my pool's"]],
    [["pool-start", "'my"], ["my pool'\\''s"]],
    [["explain", "images/disk\\ "], ["images/disk\\ a.raw"]],
  ])("%j goes on with %j", async (words, candidates) => {
    expect(await offered(words)).toEqual(candidates);
  });

  it("names the daemon that the line names", async () => {
    expect(await offered(["--root", own.path("d"), "pool-start", "im"], { CISTERN_URI: "/nowhere" })).toEqual([
      "images",
    ]);
  });

  it("gets nothing, and no error, where no daemon answers", async () => {
    expect(await offered(["pool-start", ""], { CISTERN_URI: "/nowhere" })).toEqual([]);
  });

  it("are completed for other shells with what each word is", async () => {
    const { stdout } = await runCistern(["--root", own.path("d"), "completion", "words", "--", "pool-start", "im"]);
    expect(stdout).toBe("images\tpool\n");
  });
});
