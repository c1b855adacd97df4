import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.js";

describe("pool-edit", () => {
  const own = stage({
    async prepare({ cistern }) {
      await cistern(["pool-define-as", "p", "dir", "--target", "/srv/old"]);
    },
  });

  /** TMPDIR is a directory of the test's, so that what stays is seen. */
  const edit = (editor: string) => own.program(["pool-edit", "p"], { VISUAL: "", EDITOR: editor, TMPDIR: own.root });

  const left = async () => (await readdir(own.root)).filter((name) => name.startsWith("cistern-edit-"));

  it("changes nothing where nothing was changed", async () => {
    expect(await edit("true")).toMatchObject({ status: 0, stdout: "Pool p XML configuration not changed.\n\n" });
    expect(await left()).toEqual([]);
  });

  it("defines what an editor with arguments made of it", async () => {
    expect(await edit("sed -i s,/srv/old,/srv/new,")).toMatchObject({
      status: 0,
      stdout: "Pool p XML configuration edited.\n\n",
    });
    const { stdout } = await own.cistern(["pool-dumpxml", "p"]);
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
    const file = own.path(directory, "pool.xml");
    expect(stderr).toContain(`hint: what was edited is in ${file}; cistern pool-define takes it\n`);
    expect(await readFile(file, "utf8")).toContain("nosuch");
  });
});
