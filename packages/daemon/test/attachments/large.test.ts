import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterEach, expect, it } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import { AttachmentMap } from "../../dist/attachments/attachment-map.js";
import { DomainTable } from "../../dist/attachments/domain-table.js";
import { Silences } from "../../dist/attachments/identity/silences.js";
import type { KnownDomain } from "../../dist/attachments/model.js";
import { domainSource } from "../../dist/attachments/sources/open-sources.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { Storage } from "../volumes/storage.js";
import { guest, guestXml } from "./guests.js";

const GUESTS = byEffort({ fast: 200, normal: 2_000, long: 2_000 });
const VOLUMES = 25 * GUESTS;

let storage: Storage;
let map: AttachmentMap;
afterEach(async () => {
  await map?.close();
  await storage?.close();
});

/** Volumes "0", "1" …: of each guest's three one is an image, the others are raw. */
async function volumes(): Promise<string> {
  const directory = storage.directory("images");
  const image = storage.path("image");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
  const header = readFileSync(image).subarray(0, 1_024);
  for (let number = 0; number < VOLUMES; number++) {
    writeFileSync(`${directory}/${number}`, number % 3 === 0 && number < 3 * GUESTS ? header : "");
  }
  await storage.started("images", directory);
  return directory;
}

/** Guest N has the three volumes from `first`; else from 3 × N on. */
function documentOf(guest: number, images: string, first = 3 * guest): string {
  const disks = ["qcow2", "raw", "raw"].map((format, index) => {
    return { target: `vd${"abc"[index]}`, source: `file='${images}/${first + index}'`, format };
  });
  return guestXml(`guest${guest}`, disks);
}

async function mapOf(documents: string): Promise<AttachmentMap> {
  mkdirSync(storage.path("memory"));
  const parser = new DocumentParser();
  const hostAt = (path: string) => storage.laboratory.hosts.forPath(path);
  const warn = (text: string): never => {
    throw new Error(text);
  };
  const source = await domainSource(documents, {
    hostAt,
    warn,
    memoryDirectory: await storage.laboratory.host.openDirectory(storage.path("memory")),
    read: (xml) => parser.domain(xml),
    connect: () => Promise.reject(new Error("no URI is configured")),
    ownSockets: [],
  });
  return new AttachmentMap([source], { pools: storage.registry, poolEvents: storage.events, hostAt, warn });
}

/** From hearing that one guest has another disk until it is known where that leads, when all others are known. */
async function eventOn(domains: readonly KnownDomain[], images: string): Promise<number> {
  const table = new DomainTable({
    pools: storage.registry,
    hostAt: (path) => storage.laboratory.hosts.forPath(path),
    silences: new Silences(),
    warn: (text) => {
      throw new Error(text);
    },
  });
  for (const domain of domains) table.put(domain);
  await table.resolved();
  const changed = guest("guest1", [{ source: `file='${images}/${VOLUMES - 1}'`, format: "qcow2" }]);
  const begun = performance.now();
  table.put({ ...changed, source: domains[0]?.source ?? "" });
  await table.resolved();
  return performance.now() - begun;
}

it("thousands of guests on many more volumes are all resolved, and a change of one", async () => {
  storage = await Storage.open();
  const images = await volumes();
  const documents = storage.directory("qemu");
  for (let guest = 0; guest < GUESTS; guest++) {
    writeFileSync(`${documents}/guest${guest}.xml`, documentOf(guest, images));
  }
  map = await mapOf(documents);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const begun = performance.now();
  await map.open();
  await map.settled(60_000);
  const coldMs = performance.now() - begun;
  delay.disable();
  const p99Ms = delay.percentile(99) / 1e6;
  console.log(
    `map of ${GUESTS} guests and ${VOLUMES} volumes: ${coldMs.toFixed(0)} ms, event loop delay ${p99Ms.toFixed(1)} ms p99`,
  );
  const eventMs = await eventOn(map.domains(), images);
  console.log(`event of one guest among ${GUESTS}: ${eventMs.toFixed(1)} ms until it was resolved`);
  const all = map.all();
  expect(all.length).toBe(3 * GUESTS);
  expect(all.filter(({ volumes: found, problem }) => found.length === 1 && problem === null)).toHaveLength(3 * GUESTS);
  expect(map.unknowns()).toEqual([]);
  const usersOf = (volume: number) => map.ofVolume("images", `${volume}`).map(({ domain }) => domain.name);
  expect([usersOf(4), usersOf(VOLUMES - 1)]).toEqual([["guest1"], []]);
  writeFileSync(`${documents}/guest1.xml`, documentOf(1, images, VOLUMES - 3));
  const changed = performance.now();
  await map.settled(10_000);
  console.log(
    `change of one guest's file: ${(performance.now() - changed).toFixed(1)} ms until it was seen and resolved`,
  );
  expect([usersOf(4), usersOf(VOLUMES - 1)]).toEqual([[], ["guest1"]]);
}, 120_000);
