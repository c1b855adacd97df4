import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Sshd, sshdUnavailable } from "../support/sshd.js";
import { BOTH_DAEMONS, stage } from "./stage.js";

describe.each(BOTH_DAEMONS)("cistern with $name", ({ unavailable, open, isCistern }) => {
  const own = stage({ unavailable, open });
  /** The program itself: its own process, its exit status, its output. */
  const cistern = (...args: string[]) => own.program(args);
  const images = (...names: string[]) => own.path("images", ...names);

  async function done(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await cistern(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  async function json(...args: string[]): Promise<unknown> {
    return JSON.parse(await done("--output", "json", ...args));
  }

  it("takes a pool through its life", async () => {
    expect(await done("pool-define-as", "images", "dir", "--target", images())).toBe("Pool images defined\n\n");
    expect(await json("pool-list", "--all")).toMatchObject([
      { name: "images", state: "inactive", persistent: true, autostart: false },
    ]);
    expect(await done("pool-start", "images", "--build")).toBe("Pool images started\n\n");
    expect((await stat(images())).isDirectory()).toBe(true);
    expect(await done("pool-autostart", "images")).toBe("Pool images marked as autostarted\n\n");
    expect(await json("pool-list")).toMatchObject([{ name: "images", state: "running", autostart: true }]);
    expect(await json("pool-list", "--inactive")).toEqual([]);
    const info = (await json("pool-info", "images")) as { uuid: string };
    expect(info).toMatchObject({ type: "dir", targetPath: images(), volumes: 0 });
    expect(await json("pool-info", info.uuid)).toMatchObject({ name: "images" });
    expect(await done("pool-info", "images", "--details")).toMatch(/^Target: {9}.*\/images\nVolumes: {8}0$/m);
    expect(await done("--output", "yaml", "pool-info", "images")).toMatch(/^name: images\nuuid: .*\nstate: running$/m);
    expect(await done("pool-dumpxml", "images")).toContain(`<path>${images()}</path>`);
    expect(await done("pool-autostart", "images", "--disable")).toBe("Pool images unmarked as autostarted\n\n");
    expect(await done("--quiet", "pool-refresh", "images")).toBe("");
  });

  it("does one thing to several pools, and to several volumes of one pool", async () => {
    await done("pool-define-as", "one", "dir", "--target", own.path("one"));
    await done("pool-define-as", "two", "dir", "--target", own.path("two"));
    expect(await done("pool-build", "one", "two")).toBe("Pool one built\nPool two built\n\n");
    await done("pool-start", "one", "two");
    await done("vol-create-as", "one", "a", "1M");
    await done("vol-create-as", "one", "b", "1M");
    expect(await done("vol-delete", "--pool", "one", "a", "b")).toBe("Vol a deleted\nVol b deleted\n\n");
    await done("pool-destroy", "one", "two");
    await done("pool-delete", "one", "two");
    await done("pool-undefine", "one", "two");
  });

  it("makes, changes and removes volumes", async () => {
    await done("vol-create-as", "images", "a.raw", "10M", "--allocation", "0");
    expect(await json("vol-info", "a.raw", "images")).toMatchObject({
      kind: "file",
      format: "raw",
      capacityBytes: 10 * 1024 * 1024,
      path: images("a.raw"),
      backing: null,
    });
    await done("vol-resize", "a.raw", "20M", "images");
    await done("vol-resize", "a.raw", "5M", "images", "--delta");
    expect((await stat(images("a.raw"))).size).toBe(25 * 1024 * 1024);
    expect((await cistern("vol-resize", "a.raw", "1M", "images")).status).toBe(1);
    await done("vol-clone", "a.raw", "b & c.raw", "--pool", "images");
    const overlay = ["--format", "qcow2", "--backing-vol", "a.raw", "--backing-vol-format", "raw"];
    await done("vol-create-as", "images", "d.qcow2", "10M", ...overlay);
    expect(await json("vol-info", "d.qcow2", "images")).toMatchObject({
      format: "qcow2",
      backing: { path: images("a.raw"), format: "raw" },
    });
    expect(await done("vol-info", "d.qcow2", "images", "--details")).toContain(
      `Backing:        ${images("a.raw")} (raw)\n`,
    );
    await done("vol-clone", "d.qcow2", "e.raw", "images", "--format", "raw");
    expect(await json("vol-info", "e.raw", "images")).toMatchObject({ format: "raw", backing: null });
    await done("vol-wipe", "b & c.raw", "images");
    expect(await json("vol-list", "images")).toMatchObject([
      { name: "a.raw" },
      { name: "b & c.raw" },
      { name: "d.qcow2" },
      { name: "e.raw" },
    ]);
    await done("vol-delete", "--pool", "images", "d.qcow2", "b & c.raw", "e.raw");
  });

  it("takes a backing file that is in no pool by its path", async () => {
    const outside = own.path("outside.raw");
    await writeFile(outside, Buffer.alloc(1024 * 1024));
    await done("vol-create-as", "images", "o.qcow2", "1M", "0", "qcow2", outside, "raw");
    expect(await json("vol-info", "o.qcow2", "images")).toMatchObject({ backing: { path: outside, format: "raw" } });
    await done("vol-delete", "o.qcow2", "images");
  });

  it("brings contents in and out, plain and sparse", async () => {
    const local = own.path("local");
    const content = Buffer.concat([randomBytes(700_000), Buffer.alloc(4 * 1024 * 1024), randomBytes(300_001)]);
    await writeFile(local, content);
    for (const sparse of [[], ["--sparse"]]) {
      const name = `transfer${sparse.length}`;
      const back = own.path(name);
      await done("vol-create-as", "images", name, String(content.length), "--allocation", "0");
      expect(await done("vol-upload", name, local, "images", ...sparse)).toBe("\n");
      expect(await done("vol-download", name, back, "images", ...sparse)).toBe("\n");
      expect(digest(await readFile(back))).toBe(digest(content));
      const sizes = await stat(back);
      expect(sizes.blocks * 512 < content.length - 3 * 1024 * 1024).toBe(sparse.length > 0);
      const part = ["--offset", "10", "--length", "20"];
      expect(await json("vol-download", name, back, "images", ...part)).toMatchObject({ bytes: 20 });
      expect(await readFile(back)).toEqual(content.subarray(10, 30));
      expect(await done("vol-download", name, "-", "images", "--offset", "1M", "--length", "3")).toBe("\0\0\0");
      await done("vol-delete", name, "images");
    }
  });

  it("says of local files what could not be done to which, and why", async () => {
    await done("vol-create-as", "images", "local", "1M");
    const none = own.path("no", "such");
    expect(await cistern("vol-upload", "local", none, "images")).toEqual({
      status: 1,
      stdout: "",
      stderr: `cistern: cannot upload to volume local: cannot read the file '${none}': no such file or directory\n`,
    });
    expect((await cistern("vol-upload", "local", own.root, "images")).stderr).toBe(
      `cistern: cannot upload to volume local: cannot read the file '${own.root}': it is a directory\n`,
    );
    expect(await cistern("vol-download", "local", none, "images")).toEqual({
      status: 1,
      stdout: "",
      stderr: `cistern: cannot download from volume local: cannot write the file '${none}': no such file or directory\n`,
    });
    // A device on which nothing can be written.
    expect((await cistern("vol-download", "local", "/dev/full", "images")).stderr).toBe(
      "cistern: cannot download from volume local: cannot write the file '/dev/full': no space left on device\n",
    );
    await done("vol-delete", "local", "images");
  });

  it("leaves no half of a volume when the server ends the transfer", async () => {
    const back = own.path("never");
    const { status, stderr } = await cistern("vol-download", "no such volume", back, "images");
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr:
        "cistern: failed to get vol 'no such volume': Storage volume not found: " +
        "no storage vol with matching name 'no such volume'\nhint: cistern vol-list images shows what there is\n",
    });
    await expect(stat(back)).rejects.toThrow("ENOENT");
  });

  it("says what a pool has promised, where the daemon can tell", async () => {
    const { commitment } = (await json("pool-info", "images")) as { commitment: unknown };
    const text = await done("pool-info", "images", "--details");
    if (isCistern) {
      expect(commitment).toMatchObject({ promisedBytes: 25 * 1024 * 1024, refuseRatio: null });
      expect(text).toMatch(/^Promised: +25\.00 MiB \(0 % of the capacity[;)]/m);
    } else {
      expect(commitment).toBeNull();
      expect(text).not.toContain("Promised");
    }
  });

  it("prints the disk by which a guest uses a volume, as libvirt itself writes it", async () => {
    await done("vol-create-as", "images", "guest <1>.qcow2", "8M", "--format", "qcow2");
    const disk = await done("vol-disk-xml", "images", "guest <1>.qcow2", "--target", "vdb");
    expect(disk).toContain(`  <source file='${images("guest &lt;1&gt;.qcow2")}'/>\n`);
    const byName = await done("vol-disk-xml", "images", "guest <1>.qcow2", "--target", "vdc", "--as", "volume");
    expect(byName).toContain("  <source pool='images' volume='guest &lt;1&gt;.qcow2'/>\n");
    const shown = await libvirtsOwn(disk + byName);
    expect(shown).toContain(disk);
    expect(shown).toContain(byName);

    const asked = ["vol-disk-xml", "images", "guest <1>.qcow2"];
    expect(await cistern(...asked)).toMatchObject({ status: 2, stderr: expect.stringContaining("requires <target>") });
    expect(await cistern(...asked, "--target", "vdb", "--mode", "host")).toEqual({
      status: 1,
      stdout: "",
      stderr: "cistern: a mode is said of volumes of iscsi pools by name, not of 'guest <1>.qcow2'\n",
    });
    await done("vol-delete", "guest <1>.qcow2", "images");
  });

  /** What libvirt's test driver, which needs no daemon, makes of a guest's disks; without the indentation of the domain's. */
  async function libvirtsOwn(disks: string): Promise<string> {
    const path = own.path("domain.xml");
    const os = "<os><type>hvm</type></os>";
    await writeFile(
      path,
      `<domain type='test'><name>g</name><memory>1024</memory>${os}<devices>${disks}</devices></domain>`,
    );
    const { stdout } = await promisify(execFile)("virsh", ["-c", "test:///default", `define ${path}; dumpxml g`]);
    return stdout.replaceAll(/^ {4}/gm, "");
  }

  it("looks into volumes and shows jobs, or says that only a Cistern daemon can", async () => {
    if (!isCistern) {
      const refusal = `not a Cistern daemon: ${own.socket} does not know Cistern's own program\n`;
      for (const args of [["jobs"], ["job-watch"], ["vol-inspect", "images", "a.raw"]]) {
        expect(await cistern(...args)).toEqual({ status: 1, stdout: "", stderr: `cistern: ${refusal}` });
      }
      const stderrOfCancel = `cistern: Failed to cancel job 1: ${refusal}`;
      expect(await cistern("job-cancel", "1")).toEqual({ status: 1, stdout: "", stderr: stderrOfCancel });
      const { stderr } = await cistern("--output", "json", "job-info", "1");
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 3, name: "NO_SUPPORT" } });
      return;
    }
    const overlay = ["--format", "qcow2", "--backing-vol", "a.raw", "--backing-vol-format", "raw"];
    await done("vol-create-as", "images", "overlay", "25M", ...overlay);
    expect(await json("vol-inspect", "images", "overlay")).toMatchObject({
      image: { format: "qcow2", backing: { string: images("a.raw"), format: "raw" } },
      chain: [{ role: "volume" }, { role: "backing", inside: { pool: "images", volume: "a.raw" } }],
      isComplete: true,
    });
    expect(await done("vol-inspect", "images", "overlay")).toMatch(/^ 1 +backing of 0 +raw \(declared\) /m);
    await done("vol-delete", "overlay", "images");

    expect(await json("jobs")).toEqual([]);
    const jobs = (await json("jobs", "--all")) as { id: number; kind: string; volume: string; state: string }[];
    const created = jobs.find(({ kind, volume }) => kind === "create" && volume === "overlay");
    const id = String(created?.id);
    expect(created?.state).toBe("done");
    expect(await done("jobs", "--all")).toMatch(new RegExp(`^ ${id} +done +create +images +overlay `, "m"));
    expect(await json("job-info", id)).toMatchObject({ title: "create volume 'overlay' of pool 'images'" });
    expect(await done("job-info", id)).toMatch(/^State: +done$/m);
    expect(await done("job-watch", id)).toMatch(/Z {2}create volume 'overlay' of pool 'images': done, .*\n$/);
    expect(await cistern("job-cancel", id)).toEqual({
      status: 1,
      stdout: "",
      stderr: `cistern: Failed to cancel job ${id}: Requested operation is not valid: job ${id} has ended\n`,
    });
  });

  it("limits, watches and stops a job that is under way", async () => {
    if (!isCistern) return expect((await cistern("job-limit", "1", "1M")).status).toBe(1);
    await done("vol-create-as", "images", "large", "4G");
    const wiping = cistern("vol-wipe", "large", "images");
    let id = "";
    while (id === "") {
      const jobs = (await json("jobs")) as { id: number; kind: string }[];
      id = String(jobs.find(({ kind }) => kind === "wipe")?.id ?? "");
    }
    const watching = cistern("--output", "json", "job-watch", id);
    expect(await done("job-limit", id, "10MB/s")).toBe(`Job ${id} limited to 9.54 MiB/s\n`);
    expect(await done("job-info", id)).toMatch(/^Limit: +9\.54 MiB\/s$/m);
    expect(await done("job-cancel", id, "--wait")).toBe(`Job ${id} cancelled\n`);
    const watched = await watching;
    expect(watched.status).toBe(1);
    expect(JSON.parse(watched.stderr).error.message).toMatch(
      new RegExp(`^job ${id} was cancelled: operation aborted: `),
    );
    const lines = watched.stdout.trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ id: Number(id), state: "cancelled" });
    expect((await wiping).status).toBe(1);
    await done("vol-delete", "large", "images");
  });

  it("goes to another host by ssh", async ({ skip }) => {
    const reason = sshdUnavailable();
    if (reason !== undefined) skip(reason);
    const place = await mkdtemp(own.path("ssh-"));
    await using sshd = await Sshd.start(place);
    const way = `keyfile=${sshd.keyFile}&no_verify=1&no_tty=1`;
    const uri = (more: string, host = "127.0.0.1") =>
      `storage+ssh://${sshd.user}@${host}:${sshd.port}/system?${way}${more}`;
    const pools = await done("pool-list");
    expect(await done("-c", uri(`&socket=${own.socket}`), "pool-list")).toBe(pools);
    const content = join(place, "content");
    await writeFile(content, randomBytes(3_000_000));
    const there = ["-c", uri(`&socket=${own.socket}`)];
    await done(...there, "vol-create-as", "images", "far", "3000000B");
    await done(...there, "vol-upload", "far", content, "images");
    await done(...there, "vol-download", "far", join(place, "back"), "images");
    expect((await readFile(join(place, "back"))).equals(await readFile(content))).toBe(true);
    await done(...there, "vol-delete", "far", "images");
    expect(await cistern("-c", uri(`&socket=${join(place, "none")}`), "pool-list")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`no daemon has made its socket there: ${join(place, "none")}`),
    });
    const stranger = uri(`&socket=${own.socket}`).replace(sshd.keyFile, join(place, "host-key"));
    expect(await cistern("-c", stranger, "pool-list")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("Permission denied (publickey)"),
    });
  });

  it("prints events as they happen", async () => {
    const events = cistern("--output", "json", "pool-event", "--event", "refresh", "--loop", "--count", "3");
    // Nothing tells from outside when the subscription stands: events happen until enough were seen.
    let seen = false;
    void events.then(() => {
      seen = true;
    });
    for (let round = 0; !seen && round < 50; round++) await cistern("pool-refresh", "images");
    const { status, stdout } = await events;
    expect(status).toBe(0);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; pool: { name: string } });
    expect(lines.map(({ kind, pool }) => `${kind} ${pool.name}`)).toEqual(Array(3).fill("refreshed images"));
  });

  it("says what the server says, and ends with a status for it", async () => {
    expect(await cistern("pool-start", "imagse")).toEqual({
      status: 3,
      stdout: "",
      stderr:
        "cistern: failed to get pool 'imagse': Storage pool not found: no storage pool with matching name 'imagse'\n" +
        "hint: there is a pool images; cistern pool-list --all shows them all\n",
    });
    expect((await cistern("pool-define-as", "e/x", "dir", "--target", "/x")).stderr).toBe(
      "cistern: Failed to define pool e/x: XML error: name e/x cannot contain '/'\n",
    );
    expect((await cistern("pool-start", "images")).status).toBe(1);
  });

  it("hints at what helps, and names what it is about", async () => {
    const hintOf = async (...args: string[]): Promise<string | undefined> => {
      const { status, stderr } = await cistern(...args);
      expect(status).toBe(1);
      return /^hint: (.*)$/m.exec(stderr)?.[1];
    };
    expect(await hintOf("pool-undefine", "images")).toBe(
      "cistern pool-destroy images stops it; its storage stays as it is",
    );
    expect(await hintOf("vol-create-as", "images", "a.raw", "1M")).toBe(
      "cistern vol-delete a.raw --pool images removes it, with all that is in it",
    );
    await done("pool-define-as", "not there", "dir", "--target", own.path("not there"));
    expect(await hintOf("vol-list", "not there")).toBe("cistern pool-start 'not there'");
    expect(await hintOf("pool-start", "not there")).toBe("cistern pool-build 'not there' makes the directory");
    await done("pool-undefine", "not there");
    expect(await hintOf("-c", own.path("nobody"), "pool-list")).toMatch(/^is cisternd running\? /);
  });

  it("stops, removes and forgets the pool", async () => {
    await done("vol-delete", "a.raw", "images");
    expect(await done("pool-destroy", "images")).toBe("Pool images destroyed\n\n");
    expect((await cistern("vol-list", "images")).stderr).toContain("hint: cistern pool-start images\n");
    await done("pool-delete", "images");
    await expect(stat(images())).rejects.toThrow("ENOENT");
    expect(await done("pool-undefine", "images")).toBe("Pool images has been undefined\n\n");
    expect(await json("pool-list", "--all")).toEqual([]);
  });
});

function digest(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
