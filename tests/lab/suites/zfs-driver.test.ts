import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { VolumeOperations } from "../../../packages/daemon/dist/drivers/driver.js";
import { zfsDriver } from "../../../packages/daemon/dist/drivers/zfs.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import * as documents from "../../../packages/daemon/test/drivers/documents.js";
import { create, errorOf, Laboratory, scan } from "../../../packages/daemon/test/drivers/laboratory.js";
import { covers } from "../../support/covers.js";
import { type LoopDisk, loopDisk } from "../guest/loop.js";
import { attempt, run } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";
import { prepareZfs, type Zpool, zpool } from "../guest/zfs.js";
import { listDatasets, property } from "../guest/zfs-datasets.js";

const MIB = 1_048_576n;
const DISK_BYTES = 512 * 1024 * 1024;
const ALLOCATE = 1;
const SHRINK = 4;

const operations = zfsDriver.volumes as Required<VolumeOperations>;
const plainSource = documents.pool("zfs", null).source;

function poolOf(source: string, devices: readonly string[] = []): PoolDocument {
  const device = (path: string) => ({ path, partSeparator: null, freeExtents: [] });
  return documents.pool("zfs", `/dev/zvol/${source}`, {
    source: { ...plainSource, name: source, devices: devices.map(device) },
  });
}

const wanted = (name: string, more: documents.Wanted = {}): VolumeDocument =>
  documents.volume(name, { capacityBytes: 8n * MIB, ...more });

// Each step waits for ZFS to write a transaction group, emulated, on a machine that is shared with other guests.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let main: Zpool;
beforeAll(() => {
  startUdev({ zfs: true });
});
afterAll(() => main?.[Symbol.dispose]());

describe("before the module is loaded", () => {
  const laboratory = new Laboratory();
  afterAll(() => laboratory.close());

  test("a pool is not usable, and a scan says what zpool said", async () => {
    expect(await zfsDriver.check(poolOf("tank"), laboratory.host, true)).toBe(false);
    expect(await errorOf(scan(zfsDriver, poolOf("tank"), laboratory.host))).toMatch(
      /^1\/0 internal error: Child process \(\S*zpool get -Hp health,size,free,allocated tank\) unexpected exit status 1: The ZFS modules are not loaded\./,
    );
  });
});

describe("with ZFS", () => {
  beforeAll(() => {
    main = zpool("tank", [loopDisk(DISK_BYTES).device]);
  });

  let datasets = 0;
  complies("zfs in a dataset", {
    driver: zfsDriver,
    pool: async () => poolOf(`tank/pool${datasets++}`),
    volume: (name) => wanted(name, { capacityBytes: MIB }),
  });

  describe("a dataset", () => {
    let laboratory: Laboratory;
    let pool: PoolDocument;
    let found: () => Promise<string[]>;
    beforeEach(async () => {
      laboratory = new Laboratory();
      pool = poolOf(`tank/own${datasets++}`);
      await zfsDriver.build?.(pool, laboratory.host, 0);
      found = async () =>
        (await scan(zfsDriver, pool, laboratory.host)).volumes.map(
          ({ document: { name, capacityBytes, allocationBytes } }) => `${name} ${capacityBytes} ${allocationBytes}`,
        );
    });
    afterEach(async () => {
      attempt("zfs", ["destroy", "-R", pool.source.name ?? ""]);
      await laboratory.close();
    });
    const place = (name: string) => `${pool.source.name}/${name}`;

    test("full volumes are reserved, sparse ones are not, and some have a part reserved", async () => {
      const context = await laboratory.context();
      const full = await create(zfsDriver, pool, wanted("full"), context);
      await create(zfsDriver, pool, wanted("sparse", { allocationBytes: 0n, capacityBytes: 1_073_741_824n }), context);
      await create(zfsDriver, pool, wanted("part", { allocationBytes: MIB }), context);
      expect(await found()).toEqual([
        `full 8388608 ${full.allocationBytes}`,
        "part 8388608 1048576",
        "sparse 1073741824 0",
      ]);
      expect(full.allocationBytes).toBeGreaterThan(8n * MIB);
      expect(full).toMatchObject({ key: place("full"), type: "block", target: { path: `/dev/zvol/${place("full")}` } });
    });

    test("a capacity is rounded up to whole blocks", async () => {
      const odd = await create(
        zfsDriver,
        pool,
        wanted("odd", { capacityBytes: 8n * MIB + 1n }),
        await laboratory.context(),
      );
      expect(odd.capacityBytes).toBe(8n * MIB + 8_192n);
      await operations.resize(pool, odd, 16n * MIB + 1n, 0, await laboratory.context());
      expect(property(place("odd"), "volsize")).toBe(String(16n * MIB + 8_192n));
    });

    test("resizing keeps a full volume full and a sparse one sparse; ALLOCATE reserves", async () => {
      const context = await laboratory.context();
      const full = await create(zfsDriver, pool, wanted("full"), context);
      const sparse = await create(zfsDriver, pool, wanted("sparse", { allocationBytes: 0n }), context);
      await operations.resize(pool, full, 32n * MIB, 0, context);
      await operations.resize(pool, sparse, 32n * MIB, 0, context);
      expect(BigInt(property(place("full"), "refreservation"))).toBeGreaterThan(32n * MIB);
      expect(property(place("sparse"), "refreservation")).toBe("0");
      await operations.resize(pool, sparse, 16n * MIB, SHRINK | ALLOCATE, context);
      expect(BigInt(property(place("sparse"), "refreservation"))).toBeGreaterThan(16n * MIB);
      expect(await errorOf(operations.resize(pool, full, 64n * MIB, 64, context))).toBe(
        "8/18 unsupported flags (0x40) in function virStorageBackendZFSResizeVol",
      );
    });

    test("a clone is a copy of what its source shows", async () => {
      const context = await laboratory.context();
      const source = await create(zfsDriver, pool, wanted("source", { capacityBytes: 2n * MIB }), context);
      const upload = await operations.openForUpload(pool, source, context);
      await upload.file.write(MIB, new Uint8Array(65_536).fill(0xa5));
      await upload.file.close();
      await upload.recorded.release();
      const copy = await create(zfsDriver, pool, wanted("copy", { capacityBytes: 4n * MIB }), context, { source });
      expect(copy.capacityBytes).toBe(4n * MIB);
      run("cmp", ["-n", String(2n * MIB), source.target.path ?? "", copy.target.path ?? ""]);
      // It stands alone: its source can go.
      await operations.remove(pool, source, 0, context);
      expect(await found()).toEqual([`copy 4194304 ${copy.allocationBytes}`]);
      expect(laboratory.traces.size).toBe(0);
    });

    test("what cannot be made says what was run, and leaves nothing", async () => {
      const context = await laboratory.context();
      const large = wanted("large", { capacityBytes: 4_096n * MIB });
      expect(await errorOf(create(zfsDriver, pool, large, context))).toMatch(
        /^1\/0 internal error: Child process \(\S*zfs create -V 4194304K tank\/own\d+\/cistern-new-[0-9a-f]{16}\) unexpected exit status 1: cannot create '.*': out of space\n$/,
      );
      const missing = wanted("lost");
      const source = { ...wanted("nothing"), target: { ...missing.target, path: "/dev/zvol/tank/nothing" } };
      expect(await errorOf(create(zfsDriver, pool, missing, context, { source }))).toMatch(/No such file or directory/);
      expect(listDatasets(pool.source.name ?? "", "volume")).toEqual([]);
      expect(laboratory.traces.size).toBe(0);
    });

    test("names that ZFS does not take, and our own, are refused before anything is run", async () => {
      const context = await laboratory.context();
      for (const name of ["a/b", "a@b", "a,b", "..", "ä"]) {
        expect(await errorOf(operations.allocate(pool, wanted(name), context))).toMatch(
          /^8\/18 .*ZFS has no volumes of the name/,
        );
      }
      expect(await errorOf(operations.allocate(pool, wanted("cistern-new-0123456789abcdef"), context))).toMatch(
        /^55\/18 /,
      );
    });

    test("a file system of the wanted name is in the way", async () => {
      run("zfs", ["create", "-o", "mountpoint=none", place("taken")]);
      expect(await errorOf(operations.allocate(pool, wanted("taken"), await laboratory.context()))).toBe(
        `55/18 Requested operation is not valid: dataset '${place("taken")}' already exists`,
      );
    });

    test("an encrypted volume is refused", async () => {
      const encryption = { format: "luks", engine: null, secrets: [], cipher: null, ivgen: null } as const;
      expect(await errorOf(operations.allocate(pool, wanted("v", { encryption }), await laboratory.context()))).toBe(
        "67/18 unsupported configuration: storage pool does not support encrypted volumes",
      );
    });

    test("of a name that came between, the older volume stays", async () => {
      const context = await laboratory.context();
      const document = await operations.allocate(pool, wanted("race"), context);
      run("zfs", ["create", "-V", "1M", place("race")]);
      expect(await errorOf(operations.fill(pool, document, null, 0, context))).toMatch(/dataset already exists\n$/);
      expect(listDatasets(pool.source.name ?? "", "volume")).toEqual([place("race")]);
      expect(property(place("race"), "volsize")).toBe(String(MIB));
    });

    test("what lies further down is another pool's, and a snapshot is no volume", async () => {
      run("zfs", ["create", "-o", "mountpoint=none", place("below")]);
      run("zfs", ["create", "-V", "1M", `${place("below")}/inner`]);
      run("zfs", ["create", "-s", "-V", "1M", place("v")]);
      run("zfs", ["snapshot", place("v@s")]);
      expect(await found()).toEqual(["v 1048576 0"]);
      const below = await scan(zfsDriver, poolOf(place("below")), laboratory.host);
      expect(below.volumes.map(({ document }) => document.target.path)).toEqual([`/dev/zvol/${place("below")}/inner`]);
      // A volume is no pool.
      expect((await scan(zfsDriver, poolOf(place("v")), laboratory.host)).volumes).toEqual([]);
    });

    test("a volume with snapshots is removed when that is asked for", async () => {
      const context = await laboratory.context();
      const document = await create(zfsDriver, pool, wanted("v", { allocationBytes: 0n }), context);
      run("zfs", ["snapshot", place("v@s")]);
      expect(await errorOf(operations.remove(pool, document, 0, context))).toMatch(/volume has children/);
      await operations.remove(pool, document, 2, context);
      expect(await found()).toEqual([]);
    });

    test("a volume that somebody has open is not removed", async () => {
      const context = await laboratory.context();
      const document = await create(zfsDriver, pool, wanted("v", { allocationBytes: 0n }), context);
      const file = await operations.openForDownload(pool, document, context);
      expect(await errorOf(operations.remove(pool, document, 0, context))).toMatch(/dataset is busy\n$/);
      await file.close();
      await operations.remove(pool, document, 0, context);
      expect(await found()).toEqual([]);
    });

    test("a wipe says that ZFS keeps old blocks", async () => {
      const context = await laboratory.context();
      const document = await create(zfsDriver, pool, wanted("v", { capacityBytes: MIB }), context);
      await operations.wipe(pool, document, 0, context);
      expect(laboratory.remarks.join()).toContain("old blocks may survive");
      await operations.wipe(pool, document, 9, context);
    });

    test("what a dead daemon left is hidden, and undone by its record alone", async () => {
      covers("zfs", "real", "volume.undo");
      const identity = "cistern-new-0123456789abcdef";
      run("zfs", ["create", "-s", "-V", "1M", place(identity)]);
      expect(await found()).toEqual([]);
      const unit = { kind: "unit", poolType: "zfs", place: pool.source.name ?? "", name: "v", identity } as const;
      expect(await operations.undo(unit, laboratory.host)).toBe(`'${place(identity)}' was destroyed`);
      expect(await operations.undo(unit, laboratory.host)).toBe("nothing is left of it");
      run("zfs", ["create", "-s", "-V", "1M", place("precious")]);
      expect(await errorOf(operations.undo({ ...unit, identity: "precious" }, laboratory.host))).toMatch(/^55\/18 /);
      expect(await found()).toEqual(["precious 1048576 0"]);
    });

    test("building it twice fails, with what zfs says; flags are refused", async () => {
      expect(await errorOf(zfsDriver.build?.(pool, laboratory.host, 0) as Promise<void>)).toMatch(
        /^1\/0 internal error: Child process \(\S*zfs create -o mountpoint=none tank\/own\d+\) unexpected exit status 1: cannot create '.*': dataset already exists\n$/,
      );
      expect(await errorOf(zfsDriver.build?.(pool, laboratory.host, 8) as Promise<void>)).toBe(
        "8/18 unsupported flags (0x8) in function virStorageBackendZFSBuildPool",
      );
    });
  });

  describe("a zpool", () => {
    const laboratory = new Laboratory();
    let disks: readonly LoopDisk[] = [];
    beforeAll(() => {
      prepareZfs();
      disks = [loopDisk(DISK_BYTES), loopDisk(DISK_BYTES)];
    });
    afterAll(async () => {
      attempt("zpool", ["destroy", "-f", "other"]);
      for (const disk of disks) disk[Symbol.dispose]();
      await laboratory.close();
    });
    const devices = () => disks.map(({ device }) => device);

    test("is made of its devices, and deleted", async () => {
      covers("zfs", "real", "pool.build", "pool.scan", "pool.delete");
      const pool = poolOf("other", devices());
      expect(await errorOf(zfsDriver.build?.(poolOf("other"), laboratory.host, 0) as Promise<void>)).toBe(
        "67/18 unsupported configuration: missing source devices",
      );
      expect(
        await errorOf(zfsDriver.build?.(poolOf("other", ["-f", ...devices()]), laboratory.host, 0) as Promise<void>),
      ).toMatch(/^67\/18 /);
      await zfsDriver.build?.(pool, laboratory.host, 0);
      const { capacityBytes, allocationBytes, availableBytes } = await scan(zfsDriver, pool, laboratory.host);
      expect(capacityBytes).toBeGreaterThan(900n * MIB);
      expect(allocationBytes + availableBytes).toBe(capacityBytes);
      await zfsDriver.delete?.(pool, laboratory.host, 0);
      expect(await zfsDriver.check(pool, laboratory.host, true)).toBe(false);
      expect(await errorOf(scan(zfsDriver, pool, laboratory.host))).toMatch(/cannot open 'other': no such pool\n$/);
    });

    test("is not made of devices that are in use", async () => {
      run("mkfs.ext4", ["-q", devices()[0] ?? ""]);
      expect(await errorOf(zfsDriver.build?.(poolOf("other", devices()), laboratory.host, 0) as Promise<void>)).toMatch(
        /use '-f' to override the following errors/,
      );
    });

    test("that lost its devices is told by its health, and what is in it is not taken for deleted", async () => {
      run("zpool", ["create", "-f", "-o", "failmode=continue", "other", devices()[0] ?? ""]);
      const pool = poolOf("other");
      const document = await create(zfsDriver, pool, wanted("v"), await laboratory.context());
      run("zpool", ["export", "other"]);
      expect(await errorOf(operations.remove(pool, document, 0, await laboratory.context()))).toMatch(/no such pool/);
      expect(await zfsDriver.check(pool, laboratory.host, true)).toBe(false);
    });
  });
});
