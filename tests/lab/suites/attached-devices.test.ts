import { realpathSync } from "node:fs";
import { diskOfVolume, readDomain, readPool, readVolume, writeDisk } from "@cistern/documents";
import { afterAll, beforeAll, expect, it } from "vitest";
import { GuestHost } from "../../attachments/guest-host.js";
import { attachLoop } from "../../support/loop.js";
import { prepareLvm } from "../guest/lvm.js";
import { loadModule } from "../guest/modules.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;

let host: GuestHost;
beforeAll(async () => {
  startUdev();
  loadModule("loop", "max_part=15");
  host = await GuestHost.open();
});
afterAll(async () => {
  await host?.close();
});

// No container has partitions: the third of the disks that libvirt shows of a real host.
it("a partition of a disk pool is to libvirt what we say, and is found as what a running guest uses", async () => {
  using loop = attachLoop(64 * MiB, { hasPartitions: true });
  const name = `${loop.device.slice("/dev/".length)}p1`;
  const pool = await host.connection.definePool(
    `<pool type='disk'><name>disk</name><source><device path='${loop.device}'/><format type='gpt'/></source>
     <target><path>/dev</path></target></pool>`,
  );
  await pool.build();
  await pool.start();
  const volume = await pool.createVolume(`<volume><name>${name}</name><capacity unit='MiB'>16</capacity></volume>`);

  const poolDocument = readPool(await pool.xml());
  const document = readVolume(await volume.xml(), "disk", { capacity: "optional", measured: "read" });
  const said = diskOfVolume(poolDocument, document, { target: "vdc" });
  await host.define("web", writeDisk(said));
  await host.start("web");
  const xml = await host.virsh("dumpxml", "web");
  const [shown] = readDomain(xml).disks;
  expect(shown).toMatchObject({
    device: "disk",
    driver: { name: "qemu", type: "raw", cache: "none", io: "native" },
    source: { type: "block", path: `/dev/${name}` },
    target: "vdc",
    bus: "virtio",
  });
  expect(shown?.driver).toEqual(said.driver);

  const users = async () => (await host.connection.uses.attachments({ volume })).items;
  await expect
    .poll(users, { timeout: 10_000 })
    .toMatchObject([{ domain: { name: "web", state: "running" }, target: "vdc", when: "both", problem: null }]);
  await expect(volume.delete()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });
  await expect(pool.stop()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });

  await host.undefineAll();
  await expect.poll(users, { timeout: 10_000 }).toEqual([]);
  await pool.stop();
  await pool.undefine();
});

it("a logical volume is found by each of its names, and with it the device that it lies on", async () => {
  prepareLvm();
  using loop = attachLoop(64 * MiB);
  const pool = await host.connection.definePool(
    `<pool type='logical'><name>volumes</name><source><device path='${loop.device}'/><name>labvg</name></source></pool>`,
  );
  await pool.build();
  await pool.start();
  const volume = await pool.createVolume("<volume><name>disk</name><capacity unit='MiB'>16</capacity></volume>");
  const path = await volume.path();
  const node = realpathSync(path);
  expect(node).toMatch(/^\/dev\/dm-\d+$/);
  const names = [path, "/dev/mapper/labvg-disk", node];
  const disk = (name: string, target: string) =>
    `<disk type='block'><driver name='qemu' type='raw'/><source dev='${name}'/><target dev='${target}' bus='virtio'/></disk>`;
  await host.define("names", ...names.map((name, index) => disk(name, `vd${"abc"[index]}`)));
  await host.define("runs", disk("/dev/mapper/labvg-disk", "vda"));
  await host.start("runs");

  const users = async () =>
    (await host.connection.uses.attachments({ volume })).items
      .map(({ domain, target, when, place }) => `${domain.name} ${target} ${when} ${place}`)
      .sort();
  await expect
    .poll(users, { timeout: 10_000 })
    .toEqual([
      ...names.map((name, index) => `names vd${"abc"[index]} next-boot ${name}`),
      "runs vda both /dev/mapper/labvg-disk",
    ]);
  const { items } = await host.connection.uses.attachments({ domain: "runs" });
  expect(items).toContainEqual(
    expect.objectContaining({ role: "container", place: loop.device, target: "vda", when: "both" }),
  );
  // Both guests name the volume; what it lies on is no second conflict.
  const conflicts = (await host.connection.uses.conflicts()).items;
  expect(conflicts.map(({ kind }) => kind)).not.toContain("disk-and-partition");
  expect(conflicts.filter(({ detail }) => detail.includes(loop.device))).toEqual([]);
  await expect(volume.delete()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("'runs'") });
  await expect(pool.stop()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("'runs'") });

  await host.undefineAll();
  await expect.poll(users, { timeout: 10_000 }).toEqual([]);
  await volume.delete();
  await pool.stop();
  await pool.delete();
});
