import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { HostError } from "../../dist/host/index.js";
import type { Recorded } from "../../dist/jobs/job.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { standIn } from "../drivers/stand-in.js";
import { Storage } from "./storage.js";

let storage: Storage;
let images: string;
beforeEach(async () => {
  storage = await Storage.open();
  images = storage.directory("images");
  writeFileSync(`${images}/a`, "old");
});
afterEach(() => storage.close());

const upload = () => storage.transfers.upload({ pool: "images", name: "a" }, 0n, 0n, 0, DAEMON_REQUESTER);
const ended = () => storage.backends.jobs.list({ ended: true }).map(({ state }) => state);

/** What becomes of the record when the upload has ended. */
function releases(release: Recorded["release"]): void {
  const { openForUpload } = directoryDriver.volumes ?? {};
  if (openForUpload === undefined) throw new Error("a directory takes uploads");
  storage.operations = {
    openForUpload: async (...args) => ({
      ...(await openForUpload(...args)),
      recorded: { release, keep: async () => {} },
    }),
  };
}

it("an upload is done when its record is gone", async () => {
  const steps: unknown[] = [];
  releases(async () => {
    steps.push(readFileSync(`${images}/a`, "utf8"), ...ended());
    return null;
  });
  const pool = await storage.started("images");
  const running = await upload();
  await running.write(Buffer.from("new and longer"));
  await running.finish();
  await pool.settling;
  expect(steps).toEqual(["new and longer", "running"]);
  expect(ended()).toEqual(["done"]);
});

it("an upload that the next start may undo is not reported as done, and its volume is free", async () => {
  releases(async () => new HostError("EROFS", 30, "read-only"));
  const pool = await storage.started("images");
  const running = await upload();
  await running.write(Buffer.from("new and longer"));
  await expect(running.finish()).rejects.toThrow(
    `cannot remove the record of the upload to '${images}/a', by which the next start of the daemon may undo it`,
  );
  await pool.settling;
  expect(ended()).toEqual(["failed"]);
  releases(async () => null);
  await (await upload()).finish();
});

it("an upload that was given up is that, whatever becomes of its record", async () => {
  releases(async () => new HostError("EROFS", 30, "read-only"));
  const pool = await storage.started("images");
  const running = await upload();
  await running.write(Buffer.from("new and longer"));
  await running.abort(new Error("nobody is there"));
  await pool.settling;
  expect(storage.backends.jobs.list({ ended: true })).toMatchObject([{ error: { message: "nobody is there" } }]);
});

it("the record of what could not be cut back stays for the next start, and the log says so", async () => {
  const { openForUpload } = directoryDriver.volumes ?? {};
  if (openForUpload === undefined) throw new Error("a directory takes uploads");
  const steps: string[] = [];
  storage.operations = {
    openForUpload: async (...args) => {
      const { file } = await openForUpload(...args);
      const truncate = async (): Promise<void> => {
        throw new HostError("EROFS", 30, "read-only");
      };
      const recorded: Recorded = {
        release: async () => {
          steps.push("released");
          return null;
        },
        keep: async () => void steps.push("kept"),
      };
      return { file: standIn(file, { truncate }), recorded };
    },
  };
  const pool = await storage.started("images");
  const running = await upload();
  await running.write(Buffer.from("new and longer"));
  await running.abort(new Error("nobody is there"));
  await pool.settling;
  expect(steps).toEqual(["kept"]);
  expect(storage.log).toEqual([
    `cut '${images}/a' back to its old length (the next start tries again) in images: read-only`,
  ]);
});
