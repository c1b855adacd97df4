import { execFile } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Connection, connect, type Domain, type DomainEvent, type DomainEventKind } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { guestXml, hypervisorUnavailable, prepareHypervisor } from "../support/hypervisor.js";
import type { Libvirtd } from "../support/libvirtd.js";

const run = promisify(execFile);
const unavailable = hypervisorUnavailable();
const DEADLINE_MS = 20_000;

describe("guests of a real libvirtd", () => {
  let root: string;
  let side: Libvirtd;
  let connection: Connection;
  let image: string;
  const started: string[] = [];

  const uri = (): string => `qemu+unix:///system?socket=${side.socket}`;
  const virsh = (...args: string[]) => run("virsh", ["-q", "-c", uri(), ...args], { timeout: DEADLINE_MS });
  const diskXml = (target: string, bus: string, file = image, format = "raw"): string =>
    `<disk type='file'><driver type='${format}'/><source file='${file}'/><target dev='${target}' bus='${bus}'/></disk>`;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "cd-"));
    image = join(root, "disk.raw");
    await writeFile(image, "");
    await truncate(image, 1024 * 1024);
    side = await prepareHypervisor(root);
    await side.daemon.start();
  });
  beforeEach(async ({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
    connection = await connect(uri());
  });
  afterEach(async () => {
    await connection?.close();
    for (const name of started.splice(0)) await virsh("destroy", name).catch(() => {});
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await side.close();
    await rm(root, { recursive: true, force: true });
  });

  async function define(name: string, disks: readonly string[] = [diskXml("vda", "virtio")]): Promise<Domain> {
    const file = join(root, `${name}.xml`);
    // A running guest gets disks of this bus, and lets go of them, without a system in it that would have to help.
    const devices = "<controller type='scsi' index='0' model='virtio-scsi'/>";
    await writeFile(file, guestXml({ name, disks, devices }));
    await virsh("define", file);
    return connection.lookupDomain(name);
  }

  async function start(name: string): Promise<void> {
    started.push(name);
    await virsh("start", name);
  }

  /** The events until one that `isLast`, but for "shutdown": whether an emulator that is killed comes to say so is chance. */
  async function until(
    events: AsyncIterable<DomainEvent>,
    isLast: (event: DomainEvent) => boolean,
  ): Promise<DomainEvent[]> {
    const seen: DomainEvent[] = [];
    for await (const event of events) {
      if (event.kind !== "lifecycle" || event.change !== "shutdown") seen.push(event);
      if (isLast(event)) break;
    }
    return seen;
  }

  it("are listed, found and described, running or not", async () => {
    const web = await define("web");
    const other = await define("other", []);
    expect(await connection.hypervisorType()).toBe("QEMU");
    await start("web");

    const names = async (filter = {}) => (await connection.listDomains(filter)).map(({ name }) => name);
    expect(await names()).toEqual(["other", "web"]);
    expect(await names({ active: true })).toEqual(["web"]);
    expect(await names({ active: false })).toEqual(["other"]);
    expect(await names({ persistent: false })).toEqual([]);
    expect(await names({ persistent: true, active: true })).toEqual(["web"]);

    const running = await connection.lookupDomainByUuid(web.uuid);
    expect(running.name).toBe("web");
    expect(running.id).toBeGreaterThan(0);
    expect(web.id).toBeNull();
    expect([await web.state(), await web.isActive(), await web.isPersistent()]).toEqual(["running", true, true]);
    expect([await other.state(), await other.isActive()]).toEqual(["shutoff", false]);
    expect(await web.xml()).toContain("<alias name='virtio-disk0'/>");
    const definition = await web.xml({ inactive: true });
    expect(definition).toContain(`<source file='${image}'/>`);
    expect(definition).not.toContain("<alias");

    await expect(connection.lookupDomain("nobody")).rejects.toMatchObject({ code: 42 });
  });

  it("get and lose disks, live and in their definition, and tell about it", async () => {
    const guest = await define("plug", []);
    await start("plug");
    const events = await connection.domainEvents({ domain: guest });
    const spare = join(root, "spare.raw");
    await writeFile(spare, "x".repeat(65_536));

    await guest.attachDevice(diskXml("sdb", "scsi", spare), { live: true });
    expect(await guest.xml()).toContain(spare);
    expect(await guest.xml({ inactive: true })).not.toContain(spare);
    await guest.attachDevice(diskXml("sdb", "scsi", spare), { config: true });
    expect(await guest.xml({ inactive: true })).toContain(spare);
    await guest.detachDevice(diskXml("sdb", "scsi", spare), { config: true });
    expect(await guest.xml({ inactive: true })).not.toContain(spare);
    expect(await guest.xml()).toContain(spare);
    await guest.detachDevice(diskXml("sdb", "scsi", spare), { live: true });
    expect(await guest.xml()).not.toContain(spare);

    await expect(guest.attachDevice("<disk", { live: true })).rejects.toMatchObject({ code: 35 });
    await virsh("destroy", "plug");
    await expect(guest.attachDevice(diskXml("sdc", "scsi"), { live: true })).rejects.toMatchObject({ code: 55 });

    const seen = await until(events, (event) => event.kind === "lifecycle" && event.change === "stopped");
    // Of what changed in the definition alone libvirt tells nothing.
    expect(seen.map(({ domain }) => domain.name)).toEqual(seen.map(() => "plug"));
    expect(seen.map(({ domain: _domain, ...what }) => what)).toEqual([
      { kind: "device-added", alias: "scsi0-0-0-1" },
      { kind: "device-removed", alias: "scsi0-0-0-1" },
      { kind: "lifecycle", change: "stopped", reason: "destroyed" },
    ]);
  });

  it("tell about their life, each to whoever asked for it", async () => {
    const kinds: DomainEventKind[] = ["lifecycle"];
    const all = await connection.domainEvents({ kinds });
    const one = await connection.domainEvents({ kinds, domain: await define("one", []) });
    await define("two", []);
    await start("two");
    await virsh("destroy", "two");
    await start("one");
    await virsh("undefine", "two");
    await virsh("destroy", "one");

    const told = (events: readonly DomainEvent[]): string[] =>
      events.map((event) =>
        event.kind === "lifecycle" ? `${event.domain.name} ${event.change} ${event.reason}` : event.kind,
      );
    const isLast = (event: DomainEvent): boolean =>
      event.kind === "lifecycle" && event.domain.name === "one" && event.change === "stopped";
    const seen = told(await until(all, isLast));
    expect(seen).toEqual([
      "one defined added",
      "two defined added",
      "two resumed unpaused",
      "two started booted",
      "two stopped destroyed",
      "one resumed unpaused",
      "one started booted",
      "two undefined removed",
      "one stopped destroyed",
    ]);
    expect(told(await until(one, isLast))).toEqual([
      "one resumed unpaused",
      "one started booted",
      "one stopped destroyed",
    ]);
  });

  it("tell when what a disk is made of changes", async () => {
    const overlay = join(root, "overlay.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", overlay]);
    const medium = join(root, "gone.iso");
    const cdrom = `<disk type='file' device='cdrom'><source file='${medium}' startupPolicy='optional'/><target dev='sdc' bus='sata'/></disk>`;
    const guest = await define("media", [diskXml("vda", "virtio", overlay, "qcow2"), cdrom]);
    const kinds: DomainEventKind[] = ["disk-change", "block-job", "tray-change"];
    const events = await connection.domainEvents({ kinds });

    await start("media");
    await virsh("blockpull", "media", "vda", "--wait");
    await virsh("change-media", "media", "sdc", image, "--insert");
    await virsh("change-media", "media", "sdc", "--eject");

    const isLast = (event: DomainEvent): boolean => event.kind === "tray-change" && event.tray === "closed";
    const seen = await until(events, isLast);
    expect(seen.map(({ domain }) => domain.uuid)).toEqual(seen.map(() => guest.uuid));
    expect(seen.map(({ domain: _domain, ...what }) => what)).toEqual([
      { kind: "disk-change", alias: "sata0-0-2", oldPath: medium, newPath: null, reason: "missing-on-start" },
      { kind: "block-job", target: "vda", job: "pull", state: "completed" },
      { kind: "tray-change", alias: "sata0-0-2", tray: "open" },
      { kind: "tray-change", alias: "sata0-0-2", tray: "closed" },
    ]);
  });

  it("are no longer told about when the connection ends, which is an error", async () => {
    const events = await connection.domainEvents();
    const next = events.next();
    await connection.close();
    await expect(next).rejects.toMatchObject({ code: 39, message: "The connection is closed" });
    await expect(connection.listDomains()).rejects.toMatchObject({ code: 39 });
  });
});
