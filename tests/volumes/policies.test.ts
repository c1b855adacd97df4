import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection, Pool, Volume } from "@cistern/client";
import { afterEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { virsh, virshMissing } from "./virsh.js";
import { eventually } from "./waiting.js";

const MIB = 1_048_576n;

let daemon: PrivateDaemon;
let connection: Connection;
afterEach(() => daemon?.close());

async function start(configuration: string): Promise<Pool> {
  daemon = await PrivateDaemon.start(configuration);
  connection = await daemon.connect();
  return startedPool(connection, "images", images());
}
const images = (name = ""): string => join(daemon.root, "images", name);

function overlay(pool: Pool, name: string, on: string): Promise<Volume> {
  return pool.createVolume(
    `<volume><name>${name}</name><capacity>1048576</capacity><target><format type='qcow2'/></target>
     <backingStore><path>${on}</path><format type='qcow2'/></backingStore></volume>`,
  );
}
const qcow2 = (name: string, bytes: bigint): string =>
  `<volume><name>${name}</name><capacity>${bytes}</capacity><target><format type='qcow2'/></target></volume>`;

describe("a volume that others are built on", () => {
  async function chain(configuration: string): Promise<Pool> {
    const pool = await start(configuration);
    const work = await startedPool(connection, "work", join(daemon.root, "work"));
    await pool.createVolume(qcow2("base", MIB));
    await overlay(pool, "middle", images("base"));
    await overlay(work, "disk", images("middle"));
    return pool;
  }

  it("is not deleted, and virsh is told the chain", async (context) => {
    const reason = virshMissing();
    context.skip(reason !== null, reason ?? "");
    await chain("");
    const refused = await virsh(daemon, "vol-delete", "--pool", "images", "base");
    expect(refused.status).toBe(1);
    expect(refused.output).toContain(
      "volume 'base' is still in use. It is the backing store of 'images/middle' " +
        "('work/disk' -> 'images/middle' -> 'images/base')",
    );
    expect(existsSync(images("base"))).toBe(true);
    // What is not below anything else goes, and then what was below it.
    for (const [pool, name] of [
      ["work", "disk"],
      ["images", "middle"],
      ["images", "base"],
    ] as const) {
      expect(await virsh(daemon, "vol-delete", "--pool", pool, name)).toMatchObject({ status: 0 });
    }
  });

  it("is deleted where the administrator wants libvirt's way", async () => {
    const pool = await chain('delete_backing_stores = "allow"');
    await (await pool.lookupVolume("base")).delete();
    expect(existsSync(images("base"))).toBe(false);
    expect((await pool.listVolumes()).map(({ name }) => name)).toEqual(["middle"]);
  });

  it("is kept while an overlay on it is only being made", async () => {
    const pool = await start("");
    const base = await pool.createVolume(qcow2("base", MIB));
    const [made, deleted] = await Promise.allSettled([overlay(pool, "disk", images("base")), base.delete()]);
    // Each may be refused because of the other, but the overlay is never left without what it is built on.
    expect([made.status, deleted.status]).toContain("rejected");
    expect(existsSync(images("base"))).toBe(deleted.status === "rejected");
    expect(existsSync(images("disk"))).toBe(made.status === "fulfilled");
  });
});

describe("promising more than there is", () => {
  it("is refused above the threshold of the pool, with the figures, and noted above the other one", async () => {
    const pool = await start(
      "overcommit_warn_ratio = 1.5\n[pools.images]\novercommit_refuse_ratio = 2\n[pools.other]\novercommit_refuse_ratio = 0\n",
    );
    const other = await startedPool(connection, "other", join(daemon.root, "other"));
    const { capacityBytes } = await pool.info();
    await pool.createVolume(qcow2("a", capacityBytes));
    expect(daemon.log).not.toContain("promises guests");
    await pool.createVolume(qcow2("b", (capacityBytes * 3n) / 4n));
    expect(daemon.log).toContain("pool 'images' promises guests");
    const refused = pool.createVolume(qcow2("c", capacityBytes / 2n));
    await expect(refused).rejects.toMatchObject({
      code: 9,
      domain: 18,
      message: expect.stringMatching(
        new RegExp(
          `pool 'images' of ${capacityBytes} bytes would promise \\d+ bytes to guests, 2\\.2\\d times what it has`,
        ),
      ),
    });
    expect(existsSync(images("c"))).toBe(false);
    const b = await pool.lookupVolume("b");
    await expect(b.resize(capacityBytes * 2n)).rejects.toMatchObject({ code: 9 });
    expect((await b.info()).capacityBytes).toBeLessThan(capacityBytes);
    // What was deleted is not promised any more.
    await b.delete();
    await pool.createVolume(qcow2("c", capacityBytes / 2n));
    // Another pool has its own threshold: none.
    for (const name of ["a", "b", "c"]) await other.createVolume(qcow2(name, capacityBytes));
    const promised = await connection.poolCommitment(other);
    expect(promised.promisedBytes).toBe(capacityBytes * 3n);
    expect(promised).toMatchObject({ warnRatio: 1.5, refuseRatio: null });
    expect(await connection.poolCommitment(pool)).toMatchObject({ warnRatio: 1.5, refuseRatio: 2 });
    // Guests can write into their images that they are larger than anything that can be told.
    for (const name of ["huge", "huger", "hugest"]) {
      const huge = readFileSync(images("a"));
      huge.writeBigUInt64BE(2n ** 64n - 512n, 24);
      writeFileSync(images(name), huge);
    }
    await pool.refresh();
    expect((await connection.poolCommitment(pool)).promisedBytes).toBe(2n ** 64n - 1n);
  });

  it("is libvirt's way where nothing is said", async () => {
    const pool = await start("");
    const { capacityBytes } = await pool.info();
    await pool.createVolume(qcow2("a", capacityBytes * 10n));
    expect(existsSync(images("a"))).toBe(true);
  });
});

describe("a new volume", () => {
  const plain = (name: string, more = ""): string =>
    `<volume><name>${name}</name><capacity>1048576</capacity><allocation>0</allocation>${more}</volume>`;
  const permissions = (name: string): [number, number, number] => {
    const { uid, gid, mode } = statSync(images(name));
    return [uid, gid, mode & 0o7777];
  };

  it("is whose the administrator wants it to be, unless its document says otherwise", async () => {
    const pool = await start(
      'volume_mode = "0640"\nvolume_owner = 1111\nvolume_group = 2222\n[pools.images]\nvolume_group = 3333\n',
    );
    const other = await startedPool(connection, "other", join(daemon.root, "other"));
    const source = await pool.createVolume(plain("raw"));
    await pool.createVolume(qcow2("qcow2", MIB));
    await pool.cloneVolume(plain("clone"), source);
    await pool.createVolume(
      plain("own", "<target><permissions><mode>0604</mode><owner>4444</owner></permissions></target>"),
    );
    await other.createVolume(plain("elsewhere"));
    for (const name of ["raw", "qcow2", "clone"]) expect(permissions(name)).toEqual([1111, 3333, 0o640]);
    expect(permissions("own")).toEqual([4444, 3333, 0o604]);
    const { uid, gid, mode } = statSync(join(daemon.root, "other/elsewhere"));
    expect([uid, gid, mode & 0o7777]).toEqual([1111, 2222, 0o640]);
  });

  it("is as libvirt's where nothing is said", async () => {
    const pool = await start("");
    await pool.createVolume(plain("raw"));
    expect(permissions("raw")).toEqual([process.getuid?.(), process.getgid?.(), 0o600]);
  });
});

it("what the administrator decides anew holds for what comes next", async () => {
  const pool = await start("");
  await pool.createVolume(qcow2("base", MIB));
  await overlay(pool, "disk", images("base"));
  const base = await pool.lookupVolume("base");
  await expect(base.delete()).rejects.toMatchObject({ code: 55 });
  mkdirSync(join(daemon.root, "etc"), { recursive: true });
  writeFileSync(join(daemon.root, "etc/cisternd.toml"), 'delete_backing_stores = "allow"\n');
  process.kill(daemon.pid, "SIGHUP");
  await eventually("the backing store is deleted", () =>
    base.delete().then(
      () => true,
      () => false,
    ),
  );
  expect(existsSync(images("base"))).toBe(false);
});
