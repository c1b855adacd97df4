import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Connection, Volume } from "@cistern/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { RootedDaemon } from "../support/rooted-daemon.js";

let root: string;
let daemon: RootedDaemon;
let connection: Connection;
let volume: Volume;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-unconfigured-"));
  daemon = await RootedDaemon.prepare(root);
  await daemon.start();
  connection = await daemon.connect();
  mkdirSync(join(root, "images"));
  writeFileSync(join(root, "images/a"), "bytes");
  const xml = `<pool type='dir'><name>images</name><target><path>${root}/images</path></target></pool>`;
  const pool = await connection.definePool(xml);
  await pool.start();
  volume = await pool.lookupVolume("a");
});
afterAll(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

const NOBODY_ASKED = {
  doubts: ["no domain source is configured, so nobody was asked who uses volumes"],
  isAnybodyAsked: false,
};

it("a daemon without domain sources knows of no uses, and never calls a volume unused", async () => {
  const { uses } = connection;
  expect(await uses.domainSources()).toEqual([]);
  expect(await uses.attachments()).toEqual({ items: [], ...NOBODY_ASKED });
  expect(await uses.attachments({ volume })).toEqual({ items: [], ...NOBODY_ASKED });
  expect(await uses.explain(volume)).toEqual({
    verdict: "unknown",
    attachments: [],
    overlays: [],
    jobs: [],
    obstacles: [],
    losses: [],
    ...NOBODY_ASKED,
  });
  expect(await uses.conflicts()).toEqual({ items: [], ...NOBODY_ASKED });
  const pages = [];
  for await (const page of uses.orphans()) pages.push(page);
  expect(pages).toMatchObject([{ total: 1, ...NOBODY_ASKED, items: [{ pool: "images", volume: "a" }] }]);
  expect(await uses.adoptionPlan()).toEqual({ proposals: [], left: [] });
});

it("guests that nobody knows are not found, and can be given nothing", async () => {
  const unknown = {
    code: 42,
    domain: 18,
    message: "Domain not found: no domain with matching name or uuid 'web' in any domain source",
  };
  await expect(connection.uses.attachments({ domain: "web" })).rejects.toMatchObject(unknown);
  await expect(connection.uses.attach(volume, "web")).rejects.toMatchObject(unknown);
  await expect(connection.uses.detach(volume, "web")).rejects.toMatchObject(unknown);
});

it("what a client says of its own destructive calls is taken", async () => {
  await connection.uses.refuseDefined(true);
  await connection.uses.refuseDefined(false);
});

it("whether guests reach a pool's volumes is told for any user", async () => {
  const pool = await connection.lookupPool("images");
  execFileSync("chmod", ["0700", join(root, "images")]);
  const report = await connection.uses.checkReach(pool, { user: "nobody", group: "nogroup" });
  expect(report).toMatchObject({ user: "nobody", group: "nogroup", volumes: 1 });
  expect(report.faults.map(({ path }) => path)).toContain(join(root, "images"));
  expect(report.faults.at(-1)).toMatchObject({ volumes: ["images/a"], command: expect.stringContaining("setfacl -m") });
  expect((await connection.uses.checkReach(pool, { user: "root", group: "root" })).faults).toEqual([]);
});
