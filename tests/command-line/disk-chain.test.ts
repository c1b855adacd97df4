import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readDisk } from "@cistern/documents";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Cisternd, cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";

const CISTERN = fileURLToPath(new URL("../../packages/cli/bin/cistern.js", import.meta.url));
const DEADLINE_MS = 20_000;
const unavailable = cisterndUnavailable() ?? hypervisorUnavailable();

// What `vol-disk-xml --chain` says of a volume is what libvirt itself says once a guest runs with it.
describe("a disk with its backing chain", () => {
  let root: string;
  let images: string;
  let ours: Cisternd;
  let hypervisor: Libvirtd;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "dc-"));
    await chmod(root, 0o755);
    images = join(root, "images");
    for (const place of [images, join(root, "c"), join(root, "h")]) await mkdir(place);
    ours = await prepareCisternd(join(root, "c"));
    await ours.daemon.start();
    hypervisor = await prepareHypervisor(join(root, "h"));
    await hypervisor.daemon.start();
    await cistern("pool-define-as", "images", "dir", "--target", images);
    await cistern("pool-start", "images");
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await ours?.close();
    await hypervisor?.close();
    await rm(root, { recursive: true, force: true });
  });

  async function cistern(...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const options = { timeout: DEADLINE_MS, env: { ...process.env, CISTERN_URI: ours.socket } };
    return promisify(execFile)(process.execPath, [CISTERN, ...args], options);
  }

  async function virsh(...args: string[]): Promise<string> {
    const uri = `qemu:///system?socket=${hypervisor.socket}`;
    const { stdout } = await promisify(execFile)("virsh", ["-c", uri, ...args], { timeout: DEADLINE_MS });
    return stdout;
  }

  async function image(name: string, ...args: string[]): Promise<string> {
    const path = join(images, name);
    await promisify(execFile)("qemu-img", ["create", "-q", ...args, path, "4M"], { timeout: DEADLINE_MS });
    return path;
  }

  it("is what libvirt finds, format by format", async () => {
    const base = await image("base.raw", "-f", "raw");
    const middle = await image("middle, 2.qcow2", "-f", "qcow2", "-b", base, "-F", "raw");
    await image("top.qcow2", "-f", "qcow2", "-b", middle, "-F", "qcow2");
    await cistern("pool-refresh", "images");
    const { stdout, stderr } = await cistern("vol-disk-xml", "images", "top.qcow2", "--target", "vda", "--chain");
    expect(stderr).toBe("");
    const said = readDisk(stdout);
    expect(said.backing).toMatchObject({
      source: { type: "file", path: middle },
      format: "qcow2",
      backing: { source: { type: "file", path: base }, format: "raw", backing: "end" },
    });
    const document = join(root, "guest.xml");
    await writeFile(document, guestXml({ name: "guest", disks: [stdout] }));
    await virsh("create", document);
    try {
      const shown = /<disk .*<\/disk>/s.exec(await virsh("dumpxml", "guest"))?.[0] ?? "";
      const { backing, source, driver } = readDisk(shown);
      expect({ backing, source, driver }).toEqual({ backing: said.backing, source: said.source, driver: said.driver });
    } finally {
      await virsh("destroy", "guest");
    }
  });

  it("says the file that holds an image's data", async () => {
    const data = join(images, "data.raw");
    await image("tables.qcow2", "-f", "qcow2", "-o", `data_file=${data},data_file_raw=on`);
    await cistern("pool-refresh", "images");
    const { stdout } = await cistern("vol-disk-xml", "images", "tables.qcow2", "--target", "vda", "--chain");
    expect(readDisk(stdout)).toMatchObject({
      dataStore: { source: { type: "file", path: data }, format: "raw" },
      backing: "end",
    });
  });

  it("says on standard error where a chain cannot be followed", async () => {
    await image("gone.raw", "-f", "raw");
    await image("broken.qcow2", "-f", "qcow2", "-b", join(images, "gone.raw"), "-F", "raw");
    await rm(join(images, "gone.raw"));
    await cistern("pool-refresh", "images");
    const { stdout, stderr } = await cistern("vol-disk-xml", "images", "broken.qcow2", "--target", "vda", "--chain");
    expect(stdout).not.toContain("<backingStore");
    expect(stderr).toMatch(/chain.*gone\.raw/s);
  });

  it("gives the AppArmor rules of a volume that is said by name", async () => {
    const base = await image("base2.raw", "-f", "raw");
    const top = await image("top[2].qcow2", "-f", "qcow2", "-b", base, "-F", "raw");
    await cistern("pool-refresh", "images");
    const wanted = ["vol-disk-xml", "images", "top[2].qcow2", "--target", "vda", "--as", "volume", "--apparmor"];
    const { stdout, stderr } = await cistern(...wanted);
    expect(readDisk(stdout).source).toMatchObject({ type: "volume", pool: "images", volume: "top[2].qcow2" });
    expect(stderr).toContain("/etc/apparmor.d/local/abstractions/libvirt-qemu");
    expect(stderr).toContain(`"${top.replace("[", "\\[").replace("]", "\\]")}" rwk,`);
    expect(stderr).toContain(`"${base}" rk,`);
  });
});
