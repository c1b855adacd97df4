import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Pool } from "@cistern/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "./directory-pool.js";
import { cannotHang, HangingMount } from "./hanging-mount.js";
import { PrivateDaemon } from "./private-daemon.js";

const TIMEOUT_SECONDS = 2;
/** The deadline, and what it takes to notice on a busy machine. */
const ENDED_MS = (TIMEOUT_SECONDS + 8) * 1000;

describe.skipIf(cannotHang !== null)(
  `a pool on a FUSE file system that stops answering${cannotHang === null ? "" : ` (${cannotHang})`}`,
  () => {
    let daemon: PrivateDaemon;
    let mount: HangingMount;
    let connection: Connection;
    let hanging: Pool;
    let local: Pool;

    beforeEach(async () => {
      mount = await HangingMount.open();
      daemon = await PrivateDaemon.start(`remote_storage_timeout = ${TIMEOUT_SECONDS}\n`);
      connection = await daemon.connect();
      hanging = await startedPool(connection, "hanging", mount.path);
      local = await startedPool(connection, "local", join(daemon.root, "local"));
    });
    afterEach(async () => {
      await mount?.close();
      await daemon?.close();
    });

    it("ends its own calls at the deadline, keeps other pools going, and works again when the storage does", async () => {
      const volume = await hanging.lookupVolume("one.img");
      mount.hang();
      const startedAt = performance.now();
      const hung = Promise.allSettled([hanging.refresh(), volume.info(), volume.xml()]);
      let others = 0;
      let slowestMs = 0;
      let ended = false;
      void hung.then(() => {
        ended = true;
      });
      while (!ended) {
        const callAt = performance.now();
        const made = await local.createVolume(`<volume><name>v${others}</name><capacity>4096</capacity></volume>`);
        await local.refresh();
        await made.delete();
        slowestMs = Math.max(slowestMs, performance.now() - callAt);
        others++;
      }
      const outcomes = await hung;
      expect(performance.now() - startedAt).toBeLessThan(ENDED_MS);
      for (const outcome of outcomes) {
        expect(outcome.status).toBe("rejected");
        expect(String(outcome.status === "rejected" && outcome.reason)).toContain("Connection timed out");
      }
      expect(others).toBeGreaterThan(5);
      expect(slowestMs).toBeLessThan(TIMEOUT_SECONDS * 1000);
      expect(await hanging.isActive()).toBe(true);

      mount.answer();
      await hanging.refresh();
      expect((await (await hanging.lookupVolume("one.img")).info()).capacityBytes).toBe(3n);
    }, 60_000);

    it("does not keep the daemon from stopping cleanly", async () => {
      mount.hang();
      const hung = hanging.refresh();
      hung.catch(() => {});
      await sleep(200);
      const startedAt = performance.now();
      expect(await daemon.stop()).toBe(0);
      expect(performance.now() - startedAt).toBeLessThan(ENDED_MS);
    }, 60_000);
  },
);
