import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DomainTable } from "../../dist/attachments/domain-table.js";
import { Silences } from "../../dist/attachments/identity/silences.js";
import { limits } from "../../dist/limits.js";
import { Storage } from "../volumes/storage.js";
import { guest } from "./guests.js";

let storage: Storage;
let table: DomainTable;
let images: string;
beforeEach(async () => {
  storage = await Storage.open();
  images = storage.directory("images");
  table = new DomainTable({
    pools: storage.registry,
    hostAt: (path) => storage.laboratory.hosts.forPath(path),
    silences: new Silences(),
    warn: (text) => {
      throw new Error(text);
    },
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await storage.close();
});

async function problems(): Promise<(string | null)[]> {
  await table.resolved();
  return [...table].flatMap(({ uses }) => uses.map(({ problem }) => problem));
}

const realNow = performance.now.bind(performance);
let laterMs = 0;

/** From here on it is that much later. */
function later(ms: number): void {
  laterMs += ms;
  vi.spyOn(performance, "now").mockImplementation(() => realNow() + laterMs);
}

describe("what is told of files", () => {
  it("that were missing is what is there when somebody asks", async () => {
    table.put(guest("g", [{ source: `file='${images}/late.img'` }]));
    expect(await problems()).toEqual([expect.stringContaining("does not exist")]);
    writeFileSync(`${images}/late.img`, "");
    table.lookAtMissing();
    expect(await problems()).toEqual([null]);
  });

  it("that are gone is what is there when somebody asks what is wrong, unless all was looked at lately", async () => {
    mkdirSync(`${images}/sub`);
    writeFileSync(`${images}/sub/a.img`, "");
    table.put(guest("g", [{ source: `file='${images}/sub/a.img'` }]));
    expect(await problems()).toEqual([null]);
    rmSync(`${images}/sub`, { recursive: true });
    table.lookAtAll();
    expect(await problems()).toEqual([null]);
    later(limits.attachmentReportMs);
    table.lookAtAll();
    expect(await problems()).toEqual([expect.stringContaining("does not exist")]);
    // And found again, as what is missing is.
    mkdirSync(`${images}/sub`);
    writeFileSync(`${images}/sub/a.img`, "");
    later(limits.attachmentMissingMs);
    table.lookAtAll();
    expect(await problems()).toEqual([null]);
  });
});
