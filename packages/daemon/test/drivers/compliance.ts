import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CoveredOperation, covers, type Nearness } from "../../../../tests/support/covers.js";
import { NOTHING_MADE, type Started, type StorageDriver, type VolumeOperations } from "../../dist/drivers/driver.js";
import { drivers } from "../../dist/drivers/index.js";
import { create, Laboratory, scan } from "./laboratory.js";

/** Of a file system: what libvirt writes at least. */
const BLOCK_BYTES = 4_096n;

const SHRINK = 4;

/** What the suite needs to know of a technology. */
export interface Technology {
  readonly driver: StorageDriver;
  /** A pool that is not there yet; the laboratory is new. */
  pool(laboratory: Laboratory): Promise<PoolDocument>;
  /** Makes the storage itself where `build` of the driver does not. */
  prepare?(pool: PoolDocument, laboratory: Laboratory): Promise<void>;
  /** A volume that can be made in it, of a capacity that the technology keeps as it is. */
  volume?(name: string): VolumeDocument;
  /** Of a technology that makes no volumes: how those are called that are there. What is in the first is lost. */
  found?(pool: PoolDocument): readonly string[];
  /** There is nothing that could be missing or be stopped: the pool is what the machine has. */
  readonly isAlwaysThere?: boolean;
  /** What the first and second volumes of a pool are called, where the technology says it; default "v1", "v2". */
  names?(pool: PoolDocument): readonly [string, string];
  /** Whether some of the pool's capacity is the technology's own (labels, alignment). */
  readonly hasOverhead?: boolean;
  /** Whether it is the real storage, or programs are stood in for. Default: the real one. */
  readonly nearness?: Nearness;
}

/** The running test drives these operations of the technology; those that its driver does not have do not count. */
function drives({ driver, nearness = "real" }: Technology, ...operations: readonly CoveredOperation[]): void {
  covers(driver.type, nearness, ...operations);
}

/**
 * The contract of `StorageDriver` that every driver keeps, run on the real thing. A driver's own test file calls this
 * in a few lines and then tests what is special about its technology.
 */
export function complies(name: string, technology: Technology): void {
  const { driver } = technology;
  describe(`${name} keeps the contract of drivers`, () => {
    let laboratory: Laboratory;
    let pool: PoolDocument;

    beforeEach(async () => {
      laboratory = new Laboratory();
      pool = frozen(await technology.pool(laboratory));
    });
    afterEach(() => laboratory.close());

    const up = async (): Promise<Started> => {
      await driver.build?.(pool, laboratory.host, 0);
      await technology.prepare?.(pool, laboratory);
      return (await driver.start?.(pool, laboratory.host, laboratory.poolContext)) ?? NOTHING_MADE;
    };

    test("it is registered under its type", () => {
      expect(drivers[driver.type]).toBe(driver);
    });

    if (technology.isAlwaysThere !== true) {
      test("a pool that is not there is not usable, and scanning it fails with libvirt's error", async () => {
        expect(await driver.check(pool, laboratory.host, true)).toBe(false);
        await expect(scan(driver, pool, laboratory.host)).rejects.toBeInstanceOf(LibvirtError);
      });
    }

    test("a pool that was built and started is usable", async () => {
      drives(technology, "pool.build", "pool.start");
      await up();
      expect(await driver.check(pool, laboratory.host, true)).toBe(true);
    });

    if (technology.found !== undefined) {
      const { found } = technology;
      foundVolumesComply(technology, () => ({ laboratory, pool, up, names: found(pool) }));
      return;
    }

    test("a scan of an empty pool: sizes that add up, no volumes", async () => {
      drives(technology, "pool.scan");
      await up();
      const found = await scan(driver, pool, laboratory.host);
      expect(found.volumes).toEqual([]);
      expect(found.capacityBytes).toBeGreaterThan(0n);
      const sum = found.allocationBytes + found.availableBytes;
      if (technology.hasOverhead === true) expect(sum).toBeLessThan(found.capacityBytes);
      else expect(sum).toBe(found.capacityBytes);
      expect(asDefined(found.pool)).toEqual(asDefined(pool));
    });

    if (driver.delete !== undefined) {
      const remove = driver.delete;
      test("a pool can be deleted, and is gone; unknown flags are refused", async () => {
        drives(technology, "pool.stop", "pool.delete");
        await up();
        await expect(remove(pool, laboratory.host, 64)).rejects.toMatchObject({ code: 8, domain: 18 });
        await driver.stop?.(pool, laboratory.host, { ...laboratory.poolContext, made: [] });
        await remove(pool, laboratory.host, 0);
        expect(await driver.check(pool, laboratory.host, true)).toBe(false);
      });
    }

    if (driver.volumes?.allocate !== undefined)
      volumesComply(technology, driver.volumes, () => ({ laboratory, pool, up }));
  });
}

/** Without what a scan finds. */
function asDefined(pool: PoolDocument): unknown {
  const devices = pool.source.devices.map((device) => ({ ...device, freeExtents: [] }));
  return { ...pool, source: { ...pool.source, devices }, target: null };
}

interface Setting {
  readonly laboratory: Laboratory;
  readonly pool: PoolDocument;
  readonly up: () => Promise<Started>;
}

/** Of technologies whose volumes are made elsewhere. */
function foundVolumesComply(
  technology: Technology,
  setting: () => Setting & { readonly names: readonly string[] },
): void {
  const { driver } = technology;
  const first = async (): Promise<Setting & { document: VolumeDocument; started: Started }> => {
    const { laboratory, pool, up } = setting();
    const started = await up();
    const document = (await scan(driver, pool, laboratory.host)).volumes[0]?.document;
    if (document === undefined) throw new Error("nothing was found");
    return { laboratory, pool, up, document, started };
  };

  test("a scan shows what is there, again the same, with sizes that add up", async () => {
    drives(technology, "pool.scan");
    const { laboratory, pool, up, names } = setting();
    await up();
    const found = await scan(driver, pool, laboratory.host);
    expect(found.volumes.map(({ document }) => document.name)).toEqual(names);
    for (const { document } of found.volumes) {
      expect(document.type).toBe(driver.traits.volumeKind);
      expect(document.key).not.toBeNull();
      expect(document.target.path).not.toBeNull();
    }
    const sum = found.volumes.reduce((sofar, { document }) => sofar + document.capacityBytes, 0n);
    expect(sum).toBeGreaterThan(0n);
    expect([found.capacityBytes, found.allocationBytes, found.availableBytes]).toEqual([sum, sum, 0n]);
    expect(documentsOf(await scan(driver, pool, laboratory.host, found.volumes))).toEqual(documentsOf(found));
  });

  test("it makes, removes and resizes nothing", () => {
    expect(driver.traits.clones).toBe(false);
    for (const operation of ["allocate", "fill", "remove", "resize"] as const) {
      expect(driver.volumes?.[operation]).toBeUndefined();
    }
  });

  test("what was written is read, and what was wiped reads as zeros", async () => {
    drives(technology, "volume.upload", "volume.download", "volume.wipe");
    const { laboratory, pool, document } = await first();
    const operations = driver.volumes;
    if (operations?.openForUpload === undefined || operations.openForDownload === undefined) {
      throw new Error("it has no streams");
    }
    const bytes = new TextEncoder().encode("what a guest wrote");
    const read = async (): Promise<Uint8Array> => {
      const file = await operations.openForDownload?.(pool, document, await laboratory.context());
      await using reading = file ?? null;
      return new Uint8Array((await reading?.read(4_096n, bytes.length)) ?? []);
    };
    const writing = await operations.openForUpload(pool, document, await laboratory.context());
    await writing.file.write(4_096n, bytes);
    await writing.file.close();
    await writing.recorded.release();
    expect(await read()).toEqual(bytes);
    await operations.wipe?.(pool, document, 0, await laboratory.context());
    expect(await read()).toEqual(new Uint8Array(bytes.length));
    expect(laboratory.traces.size).toBe(0);
  });

  if (driver.stop !== undefined && technology.isAlwaysThere !== true) {
    const { stop } = driver;
    test("what a start has made is gone with the stop", async () => {
      drives(technology, "pool.stop");
      const { laboratory, pool, started } = await first();
      await stop(pool, laboratory.host, { ...laboratory.poolContext, made: started.made });
      expect(await driver.check(pool, laboratory.host, true)).toBe(started.made.length === 0);
    });
  }
}

function volumesComply(technology: Technology, operations: VolumeOperations, setting: () => Setting): void {
  const { driver } = technology;
  const volumeOf = (name: string): VolumeDocument => {
    if (technology.volume === undefined) throw new Error(`how a volume of type ${driver.type} looks is not said`);
    return technology.volume(name);
  };
  const newVolume = (): VolumeDocument => volumeOf(technology.names?.(setting().pool)[0] ?? "v1");
  const capacityFound = async ({ laboratory, pool }: Setting): Promise<bigint | undefined> =>
    (await scan(driver, pool, laboratory.host)).volumes[0]?.document.capacityBytes;
  const made = async (): Promise<Setting & { made: VolumeDocument }> => {
    const { laboratory, pool, up } = setting();
    await up();
    return { laboratory, pool, up, made: await create(driver, pool, frozen(newVolume()), await laboratory.context()) };
  };

  test("a new volume has a name, a key and a path, and is what was wanted", async () => {
    drives(technology, "volume.create");
    const { made: document } = await made();
    expect(document).toMatchObject({ name: newVolume().name, capacityBytes: newVolume().capacityBytes });
    expect(document.key).not.toBeNull();
    expect(document.target.path).not.toBeNull();
    expect(document.type).toBe(driver.traits.volumeKind);
  });

  test("a scan finds it, again the same, and the same when it is told what it found", async () => {
    const { laboratory, pool, made: document } = await made();
    const first = await scan(driver, pool, laboratory.host);
    expect(first.volumes).toHaveLength(1);
    expect(first.volumes[0]?.document).toMatchObject({
      name: newVolume().name,
      key: document.key,
      type: document.type,
    });
    const second = await scan(driver, pool, laboratory.host);
    const third = await scan(driver, pool, laboratory.host, second.volumes);
    expect(documentsOf(third)).toEqual(documentsOf(second));
  });

  test("a second volume of the name is refused", async () => {
    const { laboratory, pool } = await made();
    const again = create(driver, pool, newVolume(), await laboratory.context());
    await expect(again).rejects.toBeInstanceOf(LibvirtError);
  });

  test("filling that was given up fails and leaves nothing behind", async () => {
    const { laboratory, pool, up } = setting();
    await up();
    const context = await laboratory.context();
    const document = await operations.allocate?.(pool, newVolume(), context);
    laboratory.abort();
    if (operations.fill === undefined || document === undefined) return;
    await expect(operations.fill(pool, document, null, 0, context)).rejects.toBeInstanceOf(LibvirtError);
    expect((await scan(driver, pool, laboratory.host)).volumes).toEqual([]);
  });

  if (operations.refresh !== undefined) {
    const { refresh } = operations;
    test("looking again changes nothing; a volume that is gone is libvirt's error 50", async () => {
      const { laboratory, pool, made: document } = await made();
      const { document: again } = await refresh(pool, { document, evidence: null }, false, laboratory.host);
      expect(comparable(again)).toEqual(comparable(document));
      await operations.remove?.(pool, document, 0, await laboratory.context());
      await expect(refresh(pool, { document, evidence: null }, false, laboratory.host)).rejects.toMatchObject({
        code: 50,
        domain: 18,
      });
    });
  }

  if (operations.remove !== undefined) {
    const { remove } = operations;
    test("removing: unknown flags are refused, it is gone, and gone twice is no error", async () => {
      drives(technology, "volume.remove");
      const { laboratory, pool, made: document } = await made();
      const context = await laboratory.context();
      await expect(remove(pool, document, 64, context)).rejects.toMatchObject({ code: 8, domain: 18, int1: 0 });
      await remove(pool, document, 0, context);
      expect((await scan(driver, pool, laboratory.host)).volumes).toEqual([]);
      await expect(remove(pool, document, 0, context)).resolves.toBeUndefined();
    });
  }

  if (operations.resize !== undefined) {
    const { resize } = operations;
    test("resizing, up and down", async () => {
      drives(technology, "volume.resize");
      const { laboratory, pool, made: document } = await made();
      const context = await laboratory.context();
      const [grown, shrunk] = [document.capacityBytes * 4n, document.capacityBytes * 2n];
      await resize(pool, document, grown, 0, context);
      expect(await capacityFound(setting())).toBe(grown);
      await resize(pool, { ...document, capacityBytes: grown }, shrunk, SHRINK, context);
      expect(await capacityFound(setting())).toBe(shrunk);
    });
  }

  if (operations.openForUpload !== undefined && operations.openForDownload !== undefined) {
    const { openForUpload, openForDownload } = operations;
    test("what was written is read", async () => {
      drives(technology, "volume.upload", "volume.download");
      const { laboratory, pool, made: document } = await made();
      const bytes = new TextEncoder().encode("what a guest wrote");
      const writing = (await openForUpload(pool, document, await laboratory.context())).file;
      await writing.write(4_096n, bytes);
      await writing.close();
      const reading = await openForDownload(pool, document, await laboratory.context());
      expect(new Uint8Array(await reading.read(4_096n, bytes.length))).toEqual(bytes);
      await reading.close();
    });

    const { format } = volumeOf("v").target;
    // Of an image, what is written into it is not what a guest sees.
    if (driver.traits.clones && (format === null || format === "raw")) {
      test("a clone shows what its source shows, and stays when that is gone", async () => {
        drives(technology, "volume.createFrom");
        const { laboratory, pool, made: source } = await made();
        const writing = await openForUpload(pool, source, await laboratory.context());
        await writing.file.write(8_192n, new Uint8Array(4_096).fill(7));
        await writing.file.close();
        await writing.recorded.release();
        const name = technology.names?.(pool)[1] ?? "v2";
        const copy = await create(driver, pool, frozen(volumeOf(name)), await laboratory.context(), {
          source,
        });
        expect(copy).toMatchObject({ name, capacityBytes: source.capacityBytes });
        expect(laboratory.traces.size).toBe(0);
        await operations.remove?.(pool, source, 0, await laboratory.context());
        const reading = await openForDownload(pool, copy, await laboratory.context());
        const content = await reading.read(0n, 16_384);
        await reading.close();
        expect(content.findIndex((byte) => byte !== 0)).toBe(8_192);
        expect(content.findLastIndex((byte) => byte !== 0)).toBe(12_287);
        expect(content[10_000]).toBe(7);
      });
    }

    if (operations.wipe !== undefined) {
      const { wipe } = operations;
      test("what was wiped reads as zeros, and is as long as before, in whole blocks", async () => {
        drives(technology, "volume.wipe");
        const { laboratory, pool, made: document } = await made();
        const writing = (await openForUpload(pool, document, await laboratory.context())).file;
        await writing.write(4_096n, new Uint8Array(65_536).fill(7));
        const sizeBytes = await writing.sizeBytes();
        await writing.close();
        await wipe(pool, document, 0, await laboratory.context());
        const reading = await openForDownload(pool, document, await laboratory.context());
        const wipedBytes = await reading.sizeBytes();
        expect(wipedBytes - sizeBytes).toBeGreaterThanOrEqual(0n);
        expect(wipedBytes - sizeBytes).toBeLessThan(BLOCK_BYTES);
        const content = await reading.read(0n, Number(wipedBytes));
        await reading.close();
        expect(content.every((byte) => byte === 0)).toBe(true);
      });
    }
  }
}

/** Access times change with every look. */
function documentsOf({ volumes }: { readonly volumes: readonly { readonly document: VolumeDocument }[] }): unknown[] {
  return volumes.map(({ document }) => comparable(document));
}
function comparable(document: VolumeDocument): unknown {
  const timestamps = { ...document.target.timestamps, accessNs: null };
  return { ...document, target: { ...document.target, timestamps } };
}

/** A driver gives back new documents; the ones it is handed are the pool's. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) frozen(member);
  }
  return value;
}
