import { execFileSync } from "node:child_process";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import type { Pool, Volume } from "@cistern/client";
import { type DiskDocument, diskOfVolume, readDomain, readPool, readVolume, writeDisk } from "@cistern/documents";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hypervisorUnavailable } from "../support/hypervisor.js";
import { loopDevicesAvailable } from "../support/mount-namespace.js";
import { GuestHost } from "./guest-host.js";

const MiB = 1024 * 1024;
const unavailable = hypervisorUnavailable() ?? (loopDevicesAvailable() ? undefined : "needs loop devices");

let host: GuestHost;
beforeAll(async () => {
  if (unavailable === undefined) host = await GuestHost.open();
});
beforeEach(({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
});
afterAll(async () => {
  if (unavailable === undefined) await host.close();
});

async function fileSystemPool(): Promise<Pool> {
  const image = host.path("fs.image");
  await writeFile(image, "");
  await truncate(image, 64 * MiB);
  execFileSync("mkfs.ext4", ["-q", "-F", image]);
  await mkdir(host.path("mounted"));
  const pool = await host.connection.definePool(
    `<pool type='fs'><name>mounted</name><source><device path='${image}'/><format type='ext4'/></source>
     <target><path>${host.path("mounted")}</path></target></pool>`,
  );
  await pool.start();
  return pool;
}

/** The disk by which a guest uses a volume, as we say it. */
async function diskOf(pool: Pool, volume: Volume, target: string): Promise<DiskDocument> {
  const poolDocument = readPool(await pool.xml());
  const document = readVolume(await volume.xml(), poolDocument.type, { capacity: "optional", measured: "read" });
  return diskOfVolume(poolDocument, document, { target });
}

/** What we say of a disk, and what libvirt made of it. */
function essence({ device, driver, source, target, bus }: DiskDocument) {
  return { device, driver, source, target, bus };
}

describe("what libvirt shows of a running guest's disk", () => {
  it("a raw file of a directory pool, and a qcow2 file of a mounted pool, are what we say and what we find", async () => {
    const images = await host.pool("images");
    const mounted = await fileSystemPool();
    const raw = await host.volume(images, "plain.img");
    const qcow2 = await host.volume(mounted, "grown.qcow2", "qcow2");
    const disks = [await diskOf(images, raw, "vde"), await diskOf(mounted, qcow2, "vdd")];
    await host.define("web", ...disks.map(writeDisk));
    await host.start("web");

    const shown = readDomain(await host.virsh("dumpxml", "web")).disks;
    const byTarget = (a: DiskDocument, b: DiskDocument) => (a.target < b.target ? -1 : 1);
    expect([...shown].sort(byTarget).map(essence)).toEqual([...disks].sort(byTarget).map(essence));
    expect(essence(disks[0] as DiskDocument)).toMatchObject({ driver: { type: "raw" }, source: { type: "file" } });
    expect(essence(disks[1] as DiskDocument)).toMatchObject({ driver: { type: "qcow2" }, source: { type: "file" } });

    for (const [volume, target] of [
      [raw, "vde"],
      [qcow2, "vdd"],
    ] as const) {
      const users = async () => (await host.connection.uses.attachments({ volume })).items;
      const isSo = { domain: { name: "web", state: "running" }, when: "both", target, bus: "virtio", problem: null };
      await expect.poll(users).toMatchObject([isSo]);
      await expect(volume.delete()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });
    }
    await expect(mounted.stop()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });
  });
});
