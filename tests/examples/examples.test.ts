import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import { mountNamespacesUnavailable } from "../support/mount-namespace.js";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const DEADLINE_MS = 25_000;
const run = promisify(execFile);

const sides = [
  {
    name: "cisternd",
    prepare: prepareCisternd,
    unavailable: cisterndUnavailable() ?? mountNamespacesUnavailable(),
    driver: "storage",
  },
  { name: "libvirtd", prepare: prepareHypervisor, unavailable: hypervisorUnavailable(), driver: "qemu" },
] as const;

/** What each example prints, line by line; where the daemons differ, by daemon. */
const EXPECTED: Readonly<
  Record<string, readonly (string | RegExp | { cisternd: string | RegExp; libvirtd: string })[]>
> = {
  listing: [
    "example: active",
    /^ {2}disk1\.img {2}\/.*\/disk1\.img$/,
    /^ {2}disk2\.img {2}\/.*\/disk2\.img$/,
    "1 active, 0 inactive",
  ],
  usage: [
    /^example is running: .* of .* used, .* free$/,
    "  thick: 8 MiB of 8 MiB",
    "  thin: 0 bytes of 64 MiB",
    "promised to guests: 72 MiB",
  ],
  xml: [
    /^example is a pool of type dir with the UUID [-0-9a-f]{36}$/,
    "      <mode>0750</mode>",
    "disk.qcow2 has the format qcow2 and a capacity of 67108864 bytes",
  ],
  lifecycle: [
    /^start what is not built: failed, code 38, cannot open directory/,
    "build: done",
    "start: done",
    /^start again: refused, code 55, .* already active$/,
    "refresh: done",
    /^undefine while it runs: refused, code 55, .* still active$/,
    "it was defined for good",
    "stop: done",
    "delete its storage: done",
    "undefine: done",
    /^ask it once more: failed, code 49, Storage pool not found/,
  ],
  sources: [
    "dir: supported",
    "netfs: supported",
    /^(<sources>|no volume groups)/,
    /^no exports can be found without a host/,
  ],
  autostart: ["example-a: yes, and listed as such", "example-b: no", "then: no"],
  volumes: [
    "a.img of example is also found as example/a.img",
    "b.qcow2 of example is also found as example/b.qcow2",
    "3 volumes: a.img, b.qcow2, overlay.qcow2",
    "0 volumes left",
  ],
  info: [
    {
      cisternd: "connected to storage:///system, whose driver is storage",
      libvirtd: "connected to qemu:///system, whose driver is QEMU",
    },
    /^pool example, UUID [-0-9a-f]{36}: running, transient$/,
    /^volume disk\.img of pool example, a file at \/.*\/disk\.img$/,
    "  its guest sees 8 MiB, it takes 0 bytes",
    "  the file itself is 8 MiB long",
  ],
  "create-wipe-delete": [
    'written and read back: "what nobody may read later"',
    "after wiping: zeros",
    "grown to 2 MiB",
    "deleted, 0 volumes left",
  ],
  clone: [
    "copy.qcow2 is as large as golden.img: true",
    "given up: operation aborted: virStorageVolCreateXMLFrom was given up by its caller",
    "volumes: copy.qcow2, golden.img",
  ],
  progress: [
    "upload: 16 MiB of 16 MiB",
    {
      cisternd: "wipe volume 'disk.img' of pool 'example': done, 16 MiB of 16 MiB",
      libvirtd: "this daemon does not tell how far a wipe is",
    },
    "wiped",
  ],
  events: ["defined", "created", "started", "refreshed", "stopped", "deleted", "undefined"].map(
    (what) => `example: ${what}`,
  ),
  secrets: ["found by what it is for: true", "its value has 11 bytes", "kept in memory alone: 1", "forgotten"],
  domains: [
    { cisternd: "no hypervisor: the driver is storage", libvirtd: "guest: shutoff" },
    { cisternd: /^no hypervisor/, libvirtd: "  vda: /images/vda.qcow2" },
  ],
};

it("every example has its output here", async () => {
  const sources = (await readdir(EXAMPLES)).filter((name) => name.endsWith(".ts") && name !== "example.ts");
  expect(sources.map((name) => name.slice(0, -3)).sort()).toEqual(Object.keys(EXPECTED).sort());
});

describe.each(sides)("with $name, the example", ({ name: daemon, prepare, unavailable, driver }) => {
  let root: string;
  let scratch: string;
  let uri: string;
  let side: Awaited<ReturnType<typeof prepare>>;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "ex-"));
    scratch = join(root, "scratch");
    await mkdir(scratch);
    side = await prepare(root);
    await side.daemon.start();
    uri = `${driver}+unix:///system?socket=${side.socket}`;
    if (daemon === "libvirtd") await defineGuest();
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await side.close();
    await rm(root, { recursive: true, force: true });
  });

  async function defineGuest(): Promise<void> {
    const disk = "<disk type='file'><source file='/images/vda.qcow2'/><target dev='vda' bus='virtio'/></disk>";
    const file = join(root, "guest.xml");
    await writeFile(file, guestXml({ name: "guest", disks: [disk] }));
    await run("virsh", ["-q", "-c", uri, "define", file], { timeout: DEADLINE_MS });
  }

  /** The lines that an example prints. It must end well, and say nothing about what went wrong. */
  async function linesOf(example: string): Promise<string[]> {
    const options = { timeout: DEADLINE_MS, env: { ...process.env, TMPDIR: scratch } };
    const { stdout, stderr } = await run(process.execPath, [join(EXAMPLES, "dist", `${example}.js`), uri], options);
    expect(stderr).toBe("");
    return stdout.split("\n");
  }

  it.each(Object.entries(EXPECTED))("%s prints what it should and leaves nothing behind", async (example, expected) => {
    const lines = await linesOf(example);
    let from = 0;
    for (const wanted of expected) {
      const pattern = typeof wanted === "string" || wanted instanceof RegExp ? wanted : wanted[daemon];
      const at = lines.findIndex((line, index) => index >= from && matches(line, pattern));
      expect(at, `${pattern} after line ${from} of\n${lines.join("\n")}`).toBeGreaterThanOrEqual(from);
      from = at;
    }
    const connection = await connect(uri);
    expect([await connection.listPools(), await connection.listSecrets()]).toEqual([[], []]);
    await connection.close();
    expect(await readdir(scratch)).toEqual([]);
  });
});

it("an example without a URI says what it wants", async () => {
  const ended = run(process.execPath, [join(EXAMPLES, "dist/listing.js")], { timeout: DEADLINE_MS });
  await expect(ended).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("Give a URI") });
});

function matches(line: string, pattern: string | RegExp): boolean {
  return typeof pattern === "string" ? line === pattern : pattern.test(line);
}
