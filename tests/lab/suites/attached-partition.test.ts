import { diskOfVolume, readDomain, readPool, readVolume, writeDisk } from "@cistern/documents";
import { afterAll, beforeAll, expect, it } from "vitest";
import { GuestHost } from "../../attachments/guest-host.js";
import { attachLoop } from "../../support/loop.js";
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
});
