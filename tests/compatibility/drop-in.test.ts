import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cisterndUnavailable, dropInCisternd } from "../support/cisternd.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { type Libvirtd, libvirtdUnavailable, prepareLibvirtd } from "../support/libvirtd.js";
import { runInNamespace } from "./run-in-namespace.js";

const unavailable = libvirtdUnavailable() ?? cisterndUnavailable();
const LIBRARY = fileURLToPath(new URL("lib", import.meta.url));
const EXIT_IN_USE = 3;
const WORK_BYTES = 256n * 1024n * 1024n;

/** Makes pools in every state, an autostart link, secrets with values and volumes. */
const FURNISH = `
import os, sys, libvirt
c = libvirt.open(sys.argv[1]); work = sys.argv[2]
def document(name, uuid, path=None):
    return "<pool type='dir'><name>%s</name><uuid>c15fe000-0000-4000-8000-0000000000%02d</uuid><target><path>%s/%s</path></target></pool>" % (name, uuid, work, path or name)
active = c.storagePoolDefineXML(document("active", 1), 0); active.build(0); active.create(0); active.setAutostart(1)
active.createXML("<volume><name>a.qcow2</name><capacity>1048576</capacity><target><format type='qcow2'/></target></volume>", 0)
active.createXML("<volume><name>b.img</name><capacity>65536</capacity></volume>", 0)
c.storagePoolDefineXML(document("active", 1, "active-next"), 0)
c.storagePoolDefineXML(document("inactive", 2), 0)
c.storagePoolDefineXML(document("odd name's", 3), 0).setAutostart(1)
c.storagePoolCreateXML(document("transient", 4), 1)
c.storagePoolDefineXML("<pool type='netfs'><name>nfs</name><uuid>c15fe000-0000-4000-8000-000000000005</uuid><source><host name='h'/><dir path='/e'/></source><target><path>/mnt</path></target></pool>", 0)
s = c.secretDefineXML("<secret private='yes'><uuid>c15fe000-0000-4000-8000-0000000000aa</uuid><usage type='volume'><volume>/x</volume></usage></secret>", 0); s.setValue(b"sesame", 0)
s = c.secretDefineXML("<secret><uuid>c15fe000-0000-4000-8000-0000000000bb</uuid><description>open</description></secret>", 0); s.setValue(bytes(range(256)), 0)
`;

/** Prints everything that can be seen of pools, volumes and secrets. */
const SURVEY = `
import json, re, sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
c = libvirt.open(sys.argv[1])
def attempt(call, *arguments):
    try: return call(*arguments)
    except libvirt.libvirtError as error: return str(error)
for p in c.listAllStoragePools(2): p.refresh(0)
def times(text): return re.sub(r"<(.time)>[0-9.]+<", r"<\\1>T<", text)
pools = {p.name(): [p.UUIDString(), p.isActive(), p.isPersistent(), p.autostart(), p.info()[0], p.XMLDesc(0), p.XMLDesc(1),
    sorted([v.name(), v.key(), v.info(), times(v.XMLDesc(0))] for v in p.listAllVolumes(0)) if p.isActive() else None] for p in c.listAllStoragePools(0)}
secrets = {s.UUIDString(): [s.usageType(), s.usageID(), s.XMLDesc(0), str(attempt(s.value, 0))] for s in c.listAllSecrets(0)} if len(sys.argv) < 3 else None
print(json.dumps([pools, secrets], sort_keys=True))
`;

const LIBVIRTD_URI = "qemu:///system";
const CISTERND_URI = "storage:///system";

let base: string;
let original: Libvirtd;
let dropIn: DaemonProcess;

describe("cisternd --drop-in in libvirtd's places", () => {
  beforeEach(async () => {
    if (unavailable !== undefined) return;
    base = await mkdtemp(join(tmpdir(), "drp-"));
    const work = { kind: "tmpfs", sizeBytes: WORK_BYTES, onto: join(base, "work") } as const;
    original = await prepareLibvirtd(base, [work]);
    dropIn = dropInCisternd(original.namespace, base);
  });

  afterEach(async () => {
    if (unavailable !== undefined) return;
    await dropIn.stop();
    await original.close();
    await rm(base, { recursive: true, force: true });
  });

  test("what libvirtd wrote appears in cisternd, and nothing is rewritten", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable);
    await original.daemon.start();
    await python(FURNISH, LIBVIRTD_URI, join(base, "work"));
    const before = await survey(LIBVIRTD_URI);
    const secretsBefore = await secretFiles();
    await original.daemon.stop();
    const files = await definitions();

    await dropIn.start();
    expect(await survey(CISTERND_URI)).toEqual(before);
    expect(await definitions()).toEqual(files);
    expect(await secretFiles()).toEqual(secretsBefore);
  });

  test("what cisternd wrote appears in libvirtd", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable);
    await dropIn.start();
    await python(FURNISH, CISTERND_URI, join(base, "work"));
    const before = await survey(CISTERND_URI);
    expect(await dropIn.stop()).toBe(0);

    await original.daemon.start();
    expect(await survey(LIBVIRTD_URI)).toEqual(before);
    await python(
      "import sys, libvirt; c = libvirt.open(sys.argv[1]); p = c.storagePoolLookupByName('active'); p.refresh(0); p.destroy(); p.undefine()",
      LIBVIRTD_URI,
    );
    expect(await definitions()).not.toHaveProperty(["active.xml"]);
  });

  test("a host goes there and back: what each changed is there for the other", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable);
    await original.daemon.start();
    await python(FURNISH, LIBVIRTD_URI, join(base, "work"));
    await original.daemon.stop();
    await dropIn.start();
    await python(
      "import sys, libvirt; c = libvirt.open(sys.argv[1]); c.storagePoolLookupByName('inactive').setAutostart(1); " +
        "p = c.storagePoolLookupByName('transient'); p.createXML('<volume><name>ours</name><capacity>4096</capacity></volume>', 0); " +
        "c.storagePoolLookupByName('nfs').undefine()",
      CISTERND_URI,
    );
    const before = await survey(CISTERND_URI, "pools only");
    await dropIn.stop();
    await original.daemon.start();
    expect(await survey(LIBVIRTD_URI, "pools only")).toEqual(before);
  });

  test("while libvirtd runs, cisternd ends naming the holder and the commands that free the place", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable);
    await original.daemon.start();
    expect(await dropIn.startExpectingExit()).toBe(EXIT_IN_USE);
    const log = await readFile(join(base, "cisternd.log"), "utf8");
    expect(log).toContain("libvirtd");
    expect(log).toContain(String(original.daemon.pid));
    expect(log).toMatch(/systemctl stop/);
  });

  test("while cisternd runs, libvirtd cannot take the place", async (context) => {
    if (unavailable !== undefined) context.skip(unavailable);
    await dropIn.start();
    expect(await original.daemon.startExpectingExit(), "it ends by itself").not.toBeNull();
    expect(await readFile(join(base, "libvirtd.log"), "utf8")).toMatch(
      /acquire pid file '\/run\/libvirt\/(?:secrets|storage)\/driver\.pid'/,
    );
    expect(await survey(CISTERND_URI, "pools only")).toEqual([{}, null]);
  });
});

async function survey(uri: string, only?: "pools only"): Promise<unknown[]> {
  return JSON.parse(await python(SURVEY, uri, ...(only ? [only] : []))) as unknown[];
}

function python(program: string, ...args: readonly string[]): Promise<string> {
  return runInNamespace(original.namespace, "/usr/bin/python3", ["-c", program, ...args], {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    LC_ALL: "C.UTF-8",
    PYTHONPATH: LIBRARY,
    HOME: base,
  });
}

/** Names and contents of definitions. */
async function definitions(): Promise<Record<string, string>> {
  return filesBelow(join(base, "etc/storage"));
}

async function secretFiles(): Promise<Record<string, string>> {
  return filesBelow(join(base, "etc/secrets"));
}

async function filesBelow(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  return Object.fromEntries(
    await Promise.all(
      files.map(async (entry) => [entry.name, await readFile(join(entry.parentPath, entry.name), "utf8")] as const),
    ),
  );
}
