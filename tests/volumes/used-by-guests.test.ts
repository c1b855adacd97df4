import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { virsh, virshMissing } from "./virsh.js";
import { eventually } from "./waiting.js";

const run = promisify(execFile);
const DEADLINE_MS = 30_000;
const noVirsh = virshMissing();
let storage: RootedDaemon;
let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "cu-"));
});
afterEach(() => storage?.stop());
afterAll(() => rmSync(root, { recursive: true, force: true }));

const disk = (file: string, target: string, format = "raw"): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='${format}'/><source file='${file}'/>` +
  `<target dev='${target}' bus='virtio'/></disk>`;

/** cisternd with a pool of raw volumes "used" and "free", and an image "top" on "base". */
async function begin(configuration: string): Promise<(name: string) => string> {
  storage = await RootedDaemon.prepare(mkdtempSync(join(root, "d-")), configuration);
  await storage.start();
  const images = join(storage.root, "images");
  const pool = await startedPool(await storage.connect(), "images", images);
  for (const name of ["used", "free"]) {
    writeFileSync(join(images, name), "");
    // Sparse, so that it can be shrunk.
    truncateSync(join(images, name), 1_048_576);
  }
  const create = (...args: string[]) => execFileSync("qemu-img", ["create", "-q", "-f", ...args], { cwd: images });
  create("qcow2", "base", "1M");
  create("qcow2", "-b", "base", "-F", "qcow2", "top");
  await pool.refresh();
  return (name) => join(images, name);
}

/** What takes content away, on one volume. */
const destructions = (volume: string): string[][] => {
  const named = ["--pool", "images", volume];
  return [
    ["vol-resize", ...named, "512K", "--shrink"],
    ["vol-wipe", ...named],
    ["vol-upload", ...named, "/etc/hostname"],
    ["vol-delete", ...named],
  ];
};

describe("with documents in a directory", () => {
  let documents: string;
  beforeEach(({ skip }) => {
    if (noVirsh !== null) skip(noVirsh);
    documents = mkdtempSync(join(root, "qemu-"));
  });
  const put = (name: string, disks: string[], state: string | null): void => {
    const xml = guestXml({ name, disks });
    const text = state === null ? xml : `<domstatus state='${state}' reason='booted' pid='1'>${xml}</domstatus>`;
    writeFileSync(join(documents, `${name}.xml`), text);
  };
  const sources = (): string => `domain_sources = ["${documents}"]\n`;

  it("what a running guest uses is not destroyed, and virsh is told who uses it as what", async () => {
    const image = await begin(sources());
    put("web", [disk(image("used"), "vda")], "running");
    const before = readFileSync(image("used"));
    for (const destruction of destructions("used")) {
      const { status, output } = await virsh(storage, ...destruction);
      expect([destruction[0], status]).toEqual([destruction[0], 1]);
      expect(output).toContain("volume 'used' is still in use");
      expect(output).toContain(`'${image("used")}' is disk 'vda' of the running guest 'web'`);
    }
    expect(readFileSync(image("used")).equals(before)).toBe(true);
    const stop = await virsh(storage, "pool-destroy", "images");
    expect([stop.status, stop.output]).toEqual([1, expect.stringContaining("of the running guest 'web'")]);
    for (const destruction of destructions("free"))
      expect(await virsh(storage, ...destruction)).toMatchObject({ status: 0 });
    expect(await virsh(storage, "vol-resize", "--pool", "images", "used", "2M")).toMatchObject({ status: 0 });
  });

  it("what a running guest's image rests on is not destroyed either, by whatever name the image is known", async () => {
    const image = await begin(`${sources()}delete_backing_stores = "allow"\n`);
    put("web", [disk(image("../images/top"), "vdb", "qcow2")], "paused");
    const { status, output } = await virsh(storage, "vol-delete", "--pool", "images", "base");
    expect([status, output]).toEqual([
      1,
      expect.stringContaining("is a backing file of disk 'vdb' of the paused guest 'web'"),
    ]);
    expect(existsSync(image("base"))).toBe(true);
  });

  it("a guest that has let go a moment ago keeps nobody from anything", async () => {
    const image = await begin(sources());
    put("web", [disk(image("used"), "vda")], "running");
    expect((await virsh(storage, "vol-delete", "--pool", "images", "used")).output).toContain("running guest 'web'");
    unlinkSync(join(documents, "web.xml"));
    expect(await virsh(storage, "vol-delete", "--pool", "images", "used")).toMatchObject({ status: 0 });
  });

  it("what a guest is only defined with goes, and the log says so, unless it is to be refused", async () => {
    const image = await begin(`${sources()}log_format = "json"\n`);
    put("web", [disk(image("used"), "vda"), disk(image("free"), "vdb")], null);
    expect(await virsh(storage, "vol-delete", "--pool", "images", "used")).toMatchObject({ status: 0 });
    await eventually("a line in the log", async () => storage.log.includes("which a guest is defined with"));
    writeFileSync(join(storage.root, "etc/cisternd.toml"), `${sources()}domain_uses = "refuse-defined"\n`);
    process.kill(storage.pid, "SIGHUP");
    const refused = await eventually("a refusal", async () => {
      const ended = await virsh(storage, "vol-wipe", "--pool", "images", "free");
      return ended.status === 1 ? ended : undefined;
    });
    expect(refused.output).toContain(`'${image("free")}' is disk 'vdb' that guest 'web' is defined with`);
  });

  it("what sources told is known to the next daemon, to which they do not answer", async () => {
    const image = await begin(sources());
    put("web", [disk(image("used"), "vda")], "running");
    expect((await virsh(storage, "vol-delete", "--pool", "images", "used")).output).toContain("running guest 'web'");
    await storage.stop();
    rmSync(documents, { recursive: true });
    await storage.start();
    const begun = performance.now();
    expect((await virsh(storage, "vol-delete", "--pool", "images", "used")).output).toContain("running guest 'web'");
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(existsSync(image("used"))).toBe(true);
  });
});

describe("with a real hypervisor", () => {
  const unavailable = hypervisorUnavailable();
  let hypervisor: Libvirtd;
  beforeAll(async () => {
    if (unavailable !== undefined) return;
    hypervisor = await prepareHypervisor(root);
    await hypervisor.daemon.start();
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(() => hypervisor?.close());

  const sources = (): string => `domain_sources = ["qemu+unix:///system?socket=${hypervisor.socket}"]\n`;
  const guests = (...args: string[]) =>
    run("virsh", ["-q", "-c", `qemu+unix:///system?socket=${hypervisor.socket}`, ...args], { timeout: DEADLINE_MS });
  const define = async (name: string, disks: string[]): Promise<void> => {
    const file = join(root, `${name}.xml`);
    writeFileSync(file, guestXml({ name, disks }));
    await guests("define", file);
  };

  it("a guest that starts protects its disks at once, and one that ended no more", async () => {
    const image = await begin(sources());
    await define("web", [disk(image("used"), "vda"), disk(image("top"), "vdb", "qcow2")]);
    await guests("start", "web");
    try {
      for (const name of ["used", "top", "base"]) {
        const refused = await virsh(storage, "vol-delete", "--pool", "images", name);
        expect([name, refused.status, refused.output]).toEqual([
          name,
          1,
          expect.stringContaining("running guest 'web'"),
        ]);
      }
      expect(await virsh(storage, "vol-delete", "--pool", "images", "free")).toMatchObject({ status: 0 });
    } finally {
      await guests("destroy", "web").catch(() => {});
    }
    expect(await virsh(storage, "vol-delete", "--pool", "images", "used")).toMatchObject({ status: 0 });
    await guests("undefine", "web");
  });

  it("a disk given to a running guest is protected from then on, and by what was known when the hypervisor is gone", async () => {
    const image = await begin(sources());
    await define("db", [disk(image("top"), "vdb", "qcow2")]);
    await guests("start", "db");
    try {
      writeFileSync(join(root, "disk.xml"), disk(image("used"), "vdc"));
      await guests("attach-device", "db", join(root, "disk.xml"), "--live");
      const wipe = await virsh(storage, "vol-wipe", "--pool", "images", "used");
      expect(wipe.output).toContain("disk 'vdc' of the running guest 'db'");
      await hypervisor.daemon.stop();
      const begun = performance.now();
      const refused = await virsh(storage, "vol-wipe", "--pool", "images", "used");
      expect([refused.status, refused.output]).toEqual([
        1,
        expect.stringContaining("disk 'vdc' of the running guest 'db'"),
      ]);
      expect(performance.now() - begun).toBeLessThan(5_000);
      await hypervisor.daemon.start();
      // The connection is made again, and tells that the guest ends.
      await guests("destroy", "db").catch(() => {});
      await eventually(
        "a wipe",
        async () => (await virsh(storage, "vol-wipe", "--pool", "images", "used")).status === 0,
      );
    } finally {
      await guests("destroy", "db").catch(() => {});
    }
  });

  it("one that hangs is waited for by who destroys, two seconds, and by nobody else", async () => {
    const image = await begin(sources());
    await define("mail", [disk(image("used"), "vda")]);
    await guests("start", "mail");
    const connection = await storage.connect();
    await eventually(
      "the guest is known",
      async () => (await connection.uses.attachments({ domain: "mail" })).items.length > 0,
    );
    process.kill(hypervisor.daemon.pid, "SIGSTOP");
    try {
      const timed = async (...words: string[]) => {
        const begun = performance.now();
        const { status, output } = await virsh(storage, ...words);
        return { status, output, ms: performance.now() - begun };
      };
      const refused = await timed("vol-delete", "--pool", "images", "used");
      expect(refused).toMatchObject({ status: 1, output: expect.stringContaining("running guest 'mail'") });
      expect(refused.ms).toBeLessThan(4_000);
      for (const words of [
        ["vol-info", "--pool", "images", "used"],
        ["vol-list", "images"],
        ["pool-refresh", "images"],
      ]) {
        const asked = await timed(...words);
        expect([words[0], asked.status, asked.ms < 1_500]).toEqual([words[0], 0, true]);
      }
    } finally {
      process.kill(hypervisor.daemon.pid, "SIGCONT");
      await guests("destroy", "mail").catch(() => {});
    }
  });
});

describe("what cannot be a source", () => {
  it("a storage daemon, itself too, is refused at the start with the reason", async () => {
    await begin("");
    const other = mkdtempSync(join(root, "d-"));
    mkdirSync(join(other, "etc"));
    for (const [socket, reason] of [
      [storage.socket, "it is a Cistern daemon, which has no guests"],
      [join(other, "run/libvirt-sock"), "it is this Cistern daemon itself"],
    ] as const) {
      writeFileSync(join(other, "etc/cisternd.toml"), `domain_sources = ["qemu+unix:///system?socket=${socket}"]\n`);
      const refused = await run(process.execPath, ["packages/daemon/bin/cisternd.js", "--root", other], {
        timeout: DEADLINE_MS,
      }).catch((error: unknown) => error as { code: number; stderr: string });
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(reason) });
    }
  });
});
