import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import { type Directory, hostLimits } from "../../dist/host/index.js";
import { NativeLane } from "../../dist/host/local/native-lane.js";
import { hopsOf } from "./hops.ts";
import { codeOf, openBelow, scratchDirectory, testHosts } from "./support.ts";

const root = scratchDirectory();
const hosts = testHosts();
const plain = { mode: 0o600, owner: -1, group: -1, label: null } as const;
let directory: Directory;

beforeEach(async () => {
  directory = await hosts.local.openDirectory(root);
  return () => directory.close();
});

it("a file is made complete, published, looked at and removed in one trip each", async () => {
  const round = async () => {
    const file = await directory.createUnnamed({ ...plain, mode: 0o640, owner: 1, group: 1, sizeBytes: 4_096n });
    await directory.publish(file, "volume", { sync: "directory" });
    await file.close();
    await directory.look("volume", 512);
    await directory.removeFile("volume");
  };
  await round();
  expect(await hopsOf(round)).toBe(5);
});

it("bulk work of all its threads delays no look", async () => {
  const files = await Promise.all(
    Array.from({ length: hostLimits.bulkThreads * 2 }, () => directory.createUnnamed(plain)),
  );
  let ended = 0;
  const work = files.map((file) => file.overwrite(0n, 64n << 20n, "random").then(() => (ended += 1)));
  for (let look = 0; look < 20; look += 1) await directory.look("absent", 1).catch(() => undefined);
  expect(ended).toBe(0);
  await Promise.all(work);
  for (const file of files) await file.close();
});

it("answers belong to their questions, however many are asked", async () => {
  const rounds = byEffort({ fast: 20, normal: 60, long: 2_000 });
  for (let round = 0; round < rounds; round += 1) {
    const calls = Array.from({ length: 40 }, async (_, index) => {
      const name = `file${index}`;
      const file = await directory.createUnnamed({ ...plain, sizeBytes: BigInt(index) });
      const facts = await directory.publish(file, name);
      const closing = file.close();
      const look = await directory.look(name, 64);
      expect([facts.sizeBytes, look.facts.sizeBytes, look.head?.length]).toEqual([BigInt(index), BigInt(index), index]);
      await directory.removeFile(name);
      await closing;
      expect(await codeOf(directory.lookup(name))).toBe("ENOENT");
    });
    await Promise.all(calls);
  }
  expect(readdirSync(root)).toEqual([]);
});

it("what comes after its caller has gone is closed, and has no name", async () => {
  const before = openBelow(root);
  const calls = Array.from({ length: 200 }, (_, index) => {
    const abort = new AbortController();
    const options = index % 2 === 0 ? { timeoutMs: 0 } : { signal: abort.signal };
    const made =
      index % 4 < 2
        ? directory.createUnnamed({ ...plain, sizeBytes: 10n }, options)
        : directory.createNamed(`late${index}`, plain, options);
    setTimeout(() => abort.abort(), 1);
    return codeOf(made.then((file) => file.close().then(() => directory.removeFile(`late${index}`).catch(() => 0))));
  });
  const codes = new Set(await Promise.all(calls));
  expect(codes.has("ETIMEDOUT") || codes.has("ECANCELED")).toBe(true);
  await delay(200);
  expect(openBelow(root)).toBe(before);
  expect(readdirSync(root)).toEqual([]);
});

it("a call that is given up before its turn is not made", async () => {
  const lane = new NativeLane(1);
  const file = await directory.createUnnamed(plain);
  const held = (file as unknown as { hold(): { fd: number; release(): void } }).hold();
  const range = { fd: held.fd, offsetBytes: 0n, lengthBytes: 32n << 20n, pattern: "random" } as const;
  const first = lane.perform("overwrite", range, "first");
  const abort = new AbortController();
  const second = codeOf(lane.perform("truncate", { fd: held.fd, sizeBytes: 1n }, "second", abort.signal));
  abort.abort();
  expect(await second).toBe("ECANCELED");
  await first;
  expect(await file.sizeBytes()).toBe(32n << 20n);
  const late = lane.perform("truncate", { fd: held.fd, sizeBytes: 1n }, "late", abort.signal);
  expect(await codeOf(late)).toBe("ECANCELED");
  held.release();
  await lane.close();
  expect(await codeOf(lane.perform("sync", { fd: 0 }, "closed"))).toBe("ECANCELED");
  await file.close();
});

it("a call that is being made is finished before its thread ends with the lane", async () => {
  const lane = new NativeLane(1);
  await using file = await directory.createUnnamed(plain);
  const held = (file as unknown as { hold(): { fd: number; release(): void } }).hold();
  const range = { fd: held.fd, offsetBytes: 0n, lengthBytes: 64n << 20n, pattern: "random" } as const;
  const call = codeOf(lane.perform("overwrite", range, "overwriting"));
  await lane.close();
  held.release();
  expect(await call).toBe("succeeded");
});

it("a call that does not end fails with its lane", async () => {
  const lane = new NativeLane(1);
  const fifo = join(directory.path, "fifo");
  execFileSync("mkfifo", [fifo]);
  // Nobody writes.
  const call = codeOf(lane.perform("openPath", { path: fifo, flags: constants.O_RDONLY }, "opening"));
  await delay(100);
  await lane.close();
  expect(await call).toBe("EIO");
  closeSync(openSync(fifo, constants.O_RDWR));
});

it("lanes may be closed while their threads begin", async () => {
  // A thread that is terminated while it loads its native code takes the whole process with it.
  for (let count = 0; count < 20; count++) {
    const lane = new NativeLane(2);
    const call = codeOf(lane.perform("factsOfPath", { path: "/" }, "looking"));
    await delay(count * 3);
    await lane.close();
    expect(await call).toBe("succeeded");
  }
});

it("threads that looked out for calls sleep when none come", async () => {
  for (let call = 0; call < 200; call += 1) await directory.facts();
  await delay(50);
  const before = process.cpuUsage();
  await delay(500);
  const { user, system } = process.cpuUsage(before);
  // One thread that goes on looking takes all of the half second.
  expect((user + system) / 1000).toBeLessThan(250);
});
