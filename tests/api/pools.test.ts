import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connectedSide } from "./connected-side.js";
import { sides } from "./sides.js";

const MIB = 1024n * 1024n;

const volumeXml = (name: string, capacity = MIB): string =>
  `<volume><name>${name}</name><capacity>${capacity}</capacity><allocation>0</allocation></volume>`;

describe.each(sides)("pools at $name", (daemon) => {
  const side = connectedSide(daemon, async (connection) => {
    for (const pool of await connection.listPools({ active: true })) await pool.stop();
    for (const pool of await connection.listPools()) await pool.undefine();
  });

  const poolXml = (name: string): string =>
    `<pool type='dir'><name>${name}</name><target><path>${join(side.root, name)}</path></target></pool>`;

  it("are listed and counted by state and type", async () => {
    const { connection } = side;
    await connection.definePool(poolXml("idle"));
    await connection.createPool(poolXml("busy"), { build: true });
    await connection.definePool("<pool type='mpath'><name>maps</name><target><path>/dev/mapper</path></target></pool>");
    const names = async (filter = {}) => (await connection.listPools(filter)).map(({ name }) => name);
    expect(await names()).toEqual(["busy", "idle", "maps"]);
    expect(await names({ types: ["mpath"] })).toEqual(["maps"]);
    expect(await names({ types: ["dir"], active: true })).toEqual(["busy"]);
    expect(await names({ types: ["dir", "mpath"], persistent: true })).toEqual(["idle", "maps"]);
    expect(await names({ types: ["zfs", "iscsi-direct"] })).toEqual([]);
    expect([await connection.countPools(true), await connection.countPools(false)]).toEqual([1, 2]);
    await expect(connection.lookupPool("nobody")).rejects.toMatchObject({ code: 49 });
  });

  it("are built while they are created, as far as their type can be", async () => {
    const { connection } = side;
    const pool = await connection.createPool(poolXml("fresh"), { build: true });
    expect((await stat(join(side.root, "fresh"))).isDirectory()).toBe(true);
    expect(await pool.isPersistent()).toBe(false);
    expect((await pool.info()).state).toBe("running");
    await pool.stop();
    await expect(pool.info()).rejects.toMatchObject({ code: 49 });
    await expect(connection.createPool(poolXml("over"), { build: "overwrite" })).rejects.toMatchObject({
      message: "Requested operation is not valid: No source device specified when formatting pool 'over'",
    });
  });

  it("have volumes that are counted, resized by a difference and shrunk on request", async () => {
    const { connection } = side;
    await mkdir(join(side.root, "vols"), { recursive: true });
    const pool = await connection.createPool(poolXml("vols"));
    const volume = await pool.createVolume(volumeXml("a.raw"));
    await pool.createVolume(volumeXml("b.raw"));
    expect(await pool.countVolumes()).toBe(2);

    await volume.resize(MIB, { delta: true });
    expect((await volume.info()).capacityBytes).toBe(2n * MIB);
    await expect(volume.resize(MIB)).rejects.toBeInstanceOf(Error);
    await volume.resize(MIB, { shrink: true });
    expect((await volume.info()).capacityBytes).toBe(MIB);
    await volume.resize(2n * MIB, { allocate: true });
    expect((await volume.info({ physical: true })).allocationBytes).toBe(2n * MIB);

    expect((await connection.lookupPoolOfVolume(volume)).name).toBe("vols");
    expect((await connection.lookupVolumeByPath(await volume.path())).name).toBe("a.raw");
    expect((await connection.lookupPoolByTargetPath(join(side.root, "vols"))).uuid).toBe(pool.uuid);
  });
});
