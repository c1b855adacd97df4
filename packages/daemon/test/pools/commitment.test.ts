import { expect, it } from "vitest";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import { Pool } from "../../dist/pools/pool.js";
import { Volume } from "../../dist/pools/volume.js";
import * as documents from "../drivers/documents.js";

function poolOf(...volumes: ReturnType<typeof documents.volume>[]): Pool {
  const pool = new Pool(documents.pool("dir", "/p", { capacityBytes: 1_000n, availableBytes: 400n }));
  pool.active = true;
  for (const document of volumes) {
    const { name } = document;
    const placed = { ...document, key: `/p/${name}`, target: { ...document.target, path: `/p/${name}` } };
    pool.volumes.add(new Volume({ document: placed, evidence: null }));
  }
  return pool;
}

const volume = documents.volume;
const none = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => null }, () => {});

it("promised is what all guests see, whatever is written, overlays with all of their capacity", () => {
  const pool = poolOf(
    volume("full", { capacityBytes: 100n }),
    volume("thin", { capacityBytes: 3_000n, allocationBytes: 0n }),
    volume("overlay", { capacityBytes: 500n, allocationBytes: 1n, backing: { path: "/p/full", format: "raw" } }),
    { ...volume("device", { capacityBytes: 20n }), type: "block" },
    { ...volume("far", { capacityBytes: 4n }), type: "network" },
    { ...volume("directory", { capacityBytes: 7_777n }), type: "dir" },
  );
  expect(none.of(pool)).toEqual({
    capacityBytes: 1_000n,
    promisedBytes: 3_624n,
    availableBytes: 400n,
    warnRatio: null,
    refuseRatio: null,
  });
});

it("an inactive pool has promised nothing", () => {
  const pool = poolOf(volume("full"));
  pool.active = false;
  expect(none.of(pool).promisedBytes).toBe(0n);
});

it("thresholds are those of the pool's name, as they are now", () => {
  let warn: number | null = 1.5;
  const commitments = new PoolCommitments(
    {
      warnRatio: (pool) => (pool === "ep" ? warn : null),
      refuseRatio: (pool) => (pool === "other" ? 9 : null),
    },
    () => {},
  );
  const pool = poolOf();
  expect(commitments.of(pool)).toMatchObject({ warnRatio: 1.5, refuseRatio: null });
  warn = 2;
  expect(commitments.of(pool)).toMatchObject({ warnRatio: 2, refuseRatio: null });
});

it("more than the threshold is refused with the figures, and counted anew before that", () => {
  const commitments = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => 1.5 }, () => {});
  const pool = poolOf(volume("a", { capacityBytes: 1_000n }));
  commitments.promise(pool, 500n);
  expect(() => commitments.promise(pool, 501n)).toThrow(
    "pool 'ep' of 1000 bytes would promise 1501 bytes to guests, 1.50 times what it has; it may promise 1.5 times",
  );
  const [first] = pool.volumes;
  if (first !== undefined) pool.volumes.remove(first);
  commitments.promise(pool, 1_500n);
});

it("what a resize that waits or is under way will add is promised, also when it is counted anew", () => {
  const commitments = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => 1 }, () => {});
  const pool = poolOf(volume("a", { capacityBytes: 100n }));
  const [a] = pool.volumes;
  if (a === undefined) throw new Error("the pool has a volume");
  commitments.promise(pool, 800n);
  a.enlargedByBytes = 800n;
  expect(commitments.of(pool).promisedBytes).toBe(900n);
  expect(() => commitments.promise(pool, 101n)).toThrow("would promise 1001 bytes");
  a.enlargedByBytes = 0n;
  commitments.promise(pool, 900n);
});

it("more than the threshold that warns is said once, until it is below again", () => {
  const said: string[] = [];
  const commitments = new PoolCommitments({ warnRatio: () => 1, refuseRatio: () => null }, (text) => said.push(text));
  const pool = poolOf(volume("a", { capacityBytes: 900n }));
  commitments.promise(pool, 100n);
  expect(said).toEqual([]);
  commitments.promise(pool, 1n);
  commitments.promise(pool, 1_000n);
  expect(said).toEqual(["pool 'ep' promises guests 1001 bytes, 1.00 times the 1000 it has"]);
});
