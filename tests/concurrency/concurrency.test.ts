import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pool } from "@cistern/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { byEffort } from "../support/effort.js";
import { missing } from "../support/requirements.js";
import { filesBelow, RootedDaemon } from "../support/rooted-daemon.js";
import { type Entry, possibleContents, unexplained } from "./history.js";
import { emptyOutcome, QCOW2_NAMES, RAW_NAMES, RandomClient } from "./random-client.js";

/**
 * Clients do random things to the same few volumes. Each operation succeeds whole or is refused with an error of libvirt's,
 * and what they saw can be explained by some order of what succeeded: no mixture, nothing lost, nothing undone. At the end
 * the pool, the directory and that order agree, and they still do after a restart.
 *
 * CISTERN_CONCURRENCY_SEED, _SECONDS and _CLIENTS choose another run; _HISTORY names a file to write all answers to.
 */
const SEED = Number(process.env["CISTERN_CONCURRENCY_SEED"] ?? 1);
const SECONDS = Number(process.env["CISTERN_CONCURRENCY_SECONDS"] ?? byEffort({ fast: 5, normal: 60, long: 600 }));
const CLIENTS = Number(process.env["CISTERN_CONCURRENCY_CLIENTS"] ?? 8);
const HISTORY_FILE = process.env["CISTERN_CONCURRENCY_HISTORY"];
const NAMES = [...RAW_NAMES, ...QCOW2_NAMES];

const unavailable = missing({ programs: ["qemu-img"] });
const outcome = emptyOutcome();
let root: string;
let directory: string;
let daemon: RootedDaemon;
let quiet: readonly string[];
let final: readonly string[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-concurrency-"));
  directory = join(root, "pool");
  daemon = await RootedDaemon.prepare(root);
  await daemon.start();
  await startedPool(await daemon.connect(), "crowded", directory);
  await mkdir(join(root, "work"));
  quiet = await filesBelow(join(root, "var"));
});
afterAll(async () => {
  await daemon?.stop();
  await rm(root, { recursive: true, force: true });
});

describe(`${CLIENTS} clients on ${NAMES.length} volumes`, () => {
  it("get nothing but success and refusals", { timeout: (SECONDS + 60) * 1000 }, async (context) => {
    context.skip(unavailable !== null, unavailable ?? "");
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, id) => {
        return RandomClient.open(id, await daemon.connect(), "crowded", SEED, outcome, join(root, "work"));
      }),
    );
    const until = performance.now() + SECONDS * 1000;
    await Promise.all(clients.map((client) => client.run(until)));
    for (const name of NAMES) await clients[0]?.look(name);
    report();
    if (HISTORY_FILE !== undefined) await writeFile(HISTORY_FILE, JSON.stringify(outcome.entries, null, 1));
    final = (await (await pool()).listVolumes()).map(({ name }) => name);
    expect(counted(outcome.surprises)).toEqual([]);
    // A run in which nothing succeeds proves nothing.
    for (const [operation, { succeeded }] of outcome.counts) expect(succeeded, operation).toBeGreaterThan(0);
  });

  it.each(NAMES)("%s: all answers fit into one order", (name) => {
    const broken = unexplained(outcome.entries.filter((entry) => entry.name === name));
    expect(broken?.map(described) ?? []).toEqual([]);
  });

  it("read what one writer wrote, and clones are what their source was", () => {
    const foreign = outcome.entries.flatMap((entry) => {
      if (entry.effect.kind !== "read") return [];
      const possible = possibleContents(outcome.entries, entry.name, entry.answeredAt);
      return possible.has(entry.effect.content) ? [] : [described(entry)];
    });
    expect(foreign.slice(0, 20)).toEqual([]);
  });

  it("leave a directory that holds what the pool lists, and nothing temporary", async () => {
    expect((await readdir(directory)).sort()).toEqual([...final].sort());
    expect(await filesBelow(join(root, "var"))).toEqual(quiet);
    const { capacityBytes, allocationBytes, availableBytes } = await (await pool()).info();
    expect(allocationBytes + availableBytes).toBe(capacityBytes);
  });

  it("leave volumes that are in nobody's use", async () => {
    const volumes = await (await pool()).listVolumes();
    for (const volume of volumes.slice(0, volumes.length / 2)) await volume.delete();
    final = volumes.slice(volumes.length / 2).map(({ name }) => name);
    expect((await readdir(directory)).sort()).toEqual([...final].sort());
  });

  it("find the same after a restart, and the pool can be stopped", async () => {
    expect(await daemon.stop()).toBe(0);
    await daemon.start();
    const crowded = await pool();
    if (!(await crowded.isActive())) await crowded.start();
    expect((await crowded.listVolumes()).map(({ name }) => name)).toEqual([...final].sort());
    for (const volume of await crowded.listVolumes()) await volume.delete();
    expect(await readdir(directory)).toEqual([]);
    await crowded.stop();
    expect(await crowded.isActive()).toBe(false);
  });
});

async function pool(): Promise<Pool> {
  return (await daemon.connect()).lookupPool("crowded");
}

function report(): void {
  const rows = [...outcome.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const sum = (which: "succeeded" | "refused") => rows.reduce((total, [, count]) => total + count[which], 0);
  const each = rows.map(([name, { succeeded, refused }]) => `${name} ${succeeded}/${succeeded + refused}`).join(", ");
  console.log(
    `concurrency: ${sum("succeeded") + sum("refused")} operations in ${SECONDS} s, ${sum("refused")} refused, ` +
      `${outcome.surprises.length} surprises, seed ${SEED} (${each})`,
  );
}

/** Equal texts once, with their number. */
function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    const shape = text.replace(/\d+/g, "#");
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `${count} × ${text}`);
}

function described({ name, calledAt, answeredAt, effect }: Entry): string {
  return `${Math.round(calledAt)} to ${Math.round(answeredAt)} ms: ${name} ${JSON.stringify(effect)}`;
}
