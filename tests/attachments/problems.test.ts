import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCistern } from "../command-line/cistern.js";
import { RootedDaemon } from "../support/rooted-daemon.js";

/** No terminal has room for it beside anything else. */
const LONG = `/nowhere/${"customers/".repeat(7)}disk.qcow2`;

const GUEST = `<domain type='qemu'>
  <name>web</name>
  <uuid>5e7a1f00-1111-2222-3333-444455556666</uuid>
  <memory>65536</memory>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file'><driver type='qcow2'/><source file='${LONG}'/><target dev='vda' bus='virtio'/></disk>
    <disk type='volume'><source pool='gone' volume='data.img'/><target dev='vdb' bus='virtio'/></disk>
  </devices>
</domain>`;

let root: string;
let daemon: RootedDaemon;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-problems-"));
  await mkdir(join(root, "guests"));
  await writeFile(join(root, "guests/web.xml"), GUEST);
  daemon = await RootedDaemon.prepare(root, `domain_sources = ["${root}/guests"]\n`);
  await daemon.start();
});
afterAll(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

it("what is wrong with a use is said in lines that a terminal has room for, and no path in them twice", async () => {
  const attachments = async (): Promise<string> => {
    const { status, stdout, stderr } = await runCistern(["-c", daemon.socket, "attachments"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  };
  // What guests name is looked at in the background.
  await expect.poll(attachments, { timeout: 20_000 }).toContain("does not exist");
  const [, ...problems] = (await attachments()).split("\n\n");
  expect(problems.slice(0, 2)).toEqual([
    `Problem: guest 'web', vda\n  "${LONG}"\n  does not exist.`,
    `Problem: guest 'web', vdb\n  gone/data.img: The pool "gone" is not active.`,
  ]);
});
