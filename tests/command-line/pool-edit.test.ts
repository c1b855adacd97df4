import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { CISTERN, runCistern } from "./cistern.js";

const DEADLINE_MS = 20_000;
const unavailable = cisterndUnavailable();

describe("pool-edit", () => {
  let root: string;
  let daemon: RootedDaemon;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "pe-"));
    daemon = await RootedDaemon.prepare(join(root, "d"));
    await daemon.start();
    await runCistern(["--root", daemon.root, "pool-define-as", "p", "dir", "--target", "/srv/old"]);
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await daemon.stop();
    await rm(root, { recursive: true, force: true });
  });

  /** TMPDIR is a directory of the test's, so that what stays is seen. */
  function edit(editor: string): Promise<{ status: number; stdout: string; stderr: string }> {
    const env = { ...process.env, CISTERN_URI: daemon.socket, VISUAL: "", EDITOR: editor, TMPDIR: root };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [CISTERN, "pool-edit", "p"],
        { timeout: DEADLINE_MS, env },
        (error, stdout, stderr) => {
          resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
        },
      );
    });
  }

  const left = async () => (await readdir(root)).filter((name) => name.startsWith("cistern-edit-"));

  it("changes nothing where nothing was changed", async () => {
    expect(await edit("true")).toMatchObject({ status: 0, stdout: "Pool p XML configuration not changed.\n\n" });
    expect(await left()).toEqual([]);
  });

  it("defines what an editor with arguments made of it", async () => {
    expect(await edit("sed -i s,/srv/old,/srv/new,")).toMatchObject({
      status: 0,
      stdout: "Pool p XML configuration edited.\n\n",
    });
    const { stdout } = await runCistern(["--root", daemon.root, "pool-dumpxml", "p"]);
    expect(stdout).toContain("<path>/srv/new</path>");
    expect(await left()).toEqual([]);
  });

  it("leaves alone what an editor gave up", async () => {
    expect(await edit("false")).toMatchObject({ status: 1, stderr: expect.stringContaining("ended with status 1") });
    expect(await left()).toEqual([]);
  });

  it("keeps what the daemon refuses, and says where", async () => {
    const { status, stderr } = await edit("sed -i s,type=.dir.,type='nosuch',");
    expect(status).toBe(1);
    const [directory = ""] = await left();
    const file = join(root, directory, "pool.xml");
    expect(stderr).toContain(`hint: what was edited is in ${file}; cistern pool-define takes it\n`);
    expect(await readFile(file, "utf8")).toContain("nosuch");
  });
});
