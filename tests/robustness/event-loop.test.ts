import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connection, Pool, Volume } from "@cistern/client";
import { storage } from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byEffort } from "../support/effort.js";
import { startedPool } from "./directory-pool.js";
import { PrivateDaemon } from "./private-daemon.js";

const CONNECTIONS = 50;
const CALLS_PER_CONNECTION = 20;
const FILES = byEffort({ fast: 20_000, normal: 100_000, long: 100_000 });
const WIPED_BYTES = byEffort({ fast: 256n, normal: 2048n, long: 2048n }) * 1024n * 1024n;
/** What the daemon promises: nothing holds its event loop for longer. */
const HELD_MS = 50;
/** A loaded machine takes the processor away for longer than that now and then; it does not do so each time. */
const ATTEMPTS = 4;

let daemon: PrivateDaemon;
let connections: Connection[];
let large: Pool;
let wiped: Volume;

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => daemon.connect()));
  const [first] = connections;
  if (first === undefined) throw new Error("no connection");
  const images = join(daemon.root, "images");
  await mkdir(images);
  for (let start = 0; start < FILES; start += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, index) => writeFile(join(images, `file-${start + index}.img`), "content")),
    );
  }
  large = await startedPool(first, "large", images);
  const small = await startedPool(first, "small", join(daemon.root, "small"));
  wiped = await small.createVolume(
    `<volume><name>wiped.img</name><capacity>${WIPED_BYTES}</capacity><allocation>${WIPED_BYTES}</allocation></volume>`,
  );
}, 240_000);

afterAll(() => daemon?.close());

describe("the event loop", () => {
  it(`is never held for ${HELD_MS} ms by a wipe and a scan of ${FILES} files`, { timeout: 300_000 }, async () => {
    const seen: number[] = [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await daemon.resetMetrics();
      const work = Promise.all([wiped.wipe(), large.refresh()]);
      let done = false;
      const ended = work.finally(() => {
        done = true;
      });
      let rounds = 0;
      while (!done) {
        const answers = await pipelined();
        expect(answers).toEqual(new Array(CONNECTIONS * CALLS_PER_CONNECTION).fill("large"));
        rounds++;
      }
      await ended;
      expect(rounds).toBeGreaterThan(1);
      const held = ((await daemon.metrics()).get("cistern_event_loop_delay_max_seconds") ?? Number.NaN) * 1000;
      // 0: nothing was measured.
      expect(held).toBeGreaterThan(0);
      seen.push(Math.round(held));
      if (held < HELD_MS) break;
    }
    console.log(`event loop: held for at most ${Math.min(...seen)} ms (runs: ${seen.join(", ")} ms)`);
    expect(Math.min(...seen)).toBeLessThan(HELD_MS);
  });
});

/** 1,000 calls, sent before any is answered. */
async function pipelined(): Promise<string[]> {
  const answers = await Promise.all(
    connections.flatMap((connection) =>
      Array.from({ length: CALLS_PER_CONNECTION }, () =>
        connection.call(storage.storagePoolLookupByName, { name: "large" }),
      ),
    ),
  );
  return answers.map(({ pool }) => pool.name);
}
