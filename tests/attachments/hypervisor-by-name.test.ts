import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { outcome } from "./guest-host.js";

const unavailable = hypervisorUnavailable();
/** It names no socket: the runtime directory has both daemons' at their usual places. */
const SOURCE = "qemu:///session?name=qemu:///system";

let root: string;
let hypervisor: Libvirtd;
let cisternd: RootedDaemon;
let connection: Connection;
beforeAll(async () => {
  if (unavailable !== undefined) return;
  root = await mkdtemp(join(tmpdir(), "ch-"));
  const runtime = join(root, "runtime");
  for (const name of ["h", "images", "runtime/cistern", "runtime/libvirt"])
    await mkdir(join(root, name), { recursive: true });
  hypervisor = await prepareHypervisor(join(root, "h"));
  await hypervisor.daemon.start();
  cisternd = await RootedDaemon.prepare(join(root, "c"), `domain_sources = ["${SOURCE}"]\n`, {
    XDG_RUNTIME_DIR: runtime,
  });
  await symlink(cisternd.socket, join(runtime, "cistern/libvirt-sock"));
  await symlink(hypervisor.socket, join(runtime, "libvirt/libvirt-sock"));
  await cisternd.start();
  connection = await cisternd.connect();
});
beforeEach(({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
});
afterAll(async () => {
  if (unavailable !== undefined) return;
  await cisternd.stop();
  await hypervisor.close();
  await rm(root, { recursive: true, force: true });
});

const answers = async () => (await connection.uses.domainSources()).map((source) => source.answers);

it("a hypervisor without a socket in its URI is never taken for cisternd, whose socket is looked for first elsewhere", async () => {
  expect(await answers()).toEqual([true]);
  await hypervisor.daemon.kill();
  await expect.poll(answers, { timeout: 20_000 }).toEqual([false]);
  await hypervisor.daemon.start();
  await expect.poll(answers, { timeout: 60_000 }).toEqual([true]);
});

it("a guest there is given a volume by the same name", async () => {
  const document = join(root, "web.xml");
  await writeFile(document, guestXml({ name: "web", disks: [] }));
  const virsh = ["-q", "-c", `qemu+unix:///system?socket=${hypervisor.socket}`];
  expect(await outcome("virsh", [...virsh, "define", document])).toMatchObject({ status: 0 });
  const pool = await connection.definePool(
    `<pool type='dir'><name>images</name><target><path>${root}/images</path></target></pool>`,
  );
  await pool.start();
  const volume = await pool.createVolume("<volume><name>a</name><capacity>4096</capacity></volume>");
  expect(await connection.uses.attach(volume, "web")).toEqual({ target: "vda", bus: "virtio" });
  await outcome("virsh", [...virsh, "undefine", "web"]);
});
