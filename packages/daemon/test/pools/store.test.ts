import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PoolDocument, readPool } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Hosts } from "../../dist/host/index.js";
import { PoolStore } from "../../dist/pools/store.js";

let root: string;
let hosts: Hosts;
let skipped: string[];
let store: PoolStore;
const at = (...names: string[]): string => join(root, ...names);
const pool = (name: string, target = `/images/${name}`): PoolDocument =>
  readPool(`<pool type='dir'><name>${name}</name><target><path>${target}</path></target></pool>`);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-store-"));
  hosts = new Hosts();
  skipped = [];
  const places = { definitions: at("storage"), autostart: at("storage/autostart"), state: at("run") };
  store = new PoolStore(hosts.local, places, (file) => skipped.push(file));
});
afterEach(async () => {
  await hosts.close();
  await rm(root, { recursive: true, force: true });
});

describe("pools on disk", () => {
  it("come back as they were, with their autostart", async () => {
    await store.saveDefinition(pool("one"));
    await store.saveDefinition(pool("two"));
    await store.setAutostart("two", true);
    expect(await readlink(at("storage/autostart/two.xml"))).toBe(at("storage/two.xml"));
    const loaded = await store.loadDefinitions();
    expect(loaded.map(({ document, autostart }) => [document.name, autostart])).toEqual([
      ["one", false],
      ["two", true],
    ]);
    expect(skipped).toEqual([]);
  });

  it("come back as they ran, with what their start had made; a list that is none is passed over", async () => {
    await store.saveState(pool("one"), ["session iqn.2026-01.example:a", "mount\n"]);
    await store.saveState(pool("two"), ["gone"]);
    await store.saveState(pool("two"), []);
    await store.saveState(pool("three"), ["spoilt"]);
    await writeFile(at("run/three.made.json"), "[1]");
    expect((await store.loadStates()).map(({ document, made }) => [document.name, made])).toEqual([
      ["one", ["session iqn.2026-01.example:a", "mount\n"]],
      ["three", []],
      ["two", []],
    ]);
    expect(skipped).toEqual([at("run/three.made.json")]);
  });

  it("leave nothing when they go", async () => {
    await store.saveDefinition(pool("one"));
    await store.setAutostart("one", true);
    await store.saveState(pool("one"), ["a session"]);
    await store.removeDefinition("one");
    await store.removeState("one");
    expect(await readdir(at("storage"))).toEqual(["autostart"]);
    expect(await readdir(at("storage/autostart"))).toEqual([]);
    expect(await readdir(at("run"))).toEqual([]);
  });

  it("skip and keep what cannot be read, and say so", async () => {
    await store.saveDefinition(pool("good"));
    await writeFile(at("storage/broken.xml"), "<pool");
    await writeFile(
      at("storage/other.xml"),
      "<pool type='dir'><name>else</name><target><path>/x</path></target></pool>",
    );
    expect((await store.loadDefinitions()).map(({ document }) => document.name)).toEqual(["good"]);
    expect(skipped).toEqual([at("storage/broken.xml"), at("storage/other.xml")]);
    expect(await readFile(at("storage/broken.xml"), "utf8")).toBe("<pool");
  });

  it("remove what a power cut left of a write", async () => {
    await store.saveDefinition(pool("good"));
    const leftover = ".cistern-0123456789abcdef";
    const written = await leftoverName();
    await writeFile(at("storage", written), "half of a docum");
    await writeFile(at("storage", `${leftover}.of-somebody-else`), "kept");
    await store.loadDefinitions();
    expect((await readdir(at("storage"))).sort()).toEqual([`${leftover}.of-somebody-else`, "good.xml"]);
  });

  it("do not touch a file that is in the place of an autostart link", async () => {
    await store.saveDefinition(pool("one"));
    await mkdir(at("storage/autostart"));
    await symlink("/elsewhere", at("storage/autostart/one.xml"));
    await expect(store.setAutostart("one", true)).rejects.toThrow(
      `Failed to create symlink '${at("storage/autostart/one.xml")}' to '${at("storage/one.xml")}': File exists`,
    );
    expect(await readlink(at("storage/autostart/one.xml"))).toBe("/elsewhere");
    expect((await store.loadDefinitions())[0]?.autostart).toBe(false);
  });

  it("are written where the directory is now, not where it was", async () => {
    await store.saveDefinition(pool("one"));
    await rename(at("storage"), at("moved"));
    await store.saveDefinition(pool("two"));
    expect(await readdir(at("moved"))).toEqual(["one.xml"]);
    expect(await readdir(at("storage"))).toEqual(["two.xml"]);
  });

  it("say where they could not be written", async () => {
    await writeFile(at("storage"), "a file");
    await expect(store.saveDefinition(pool("one"))).rejects.toMatchObject({
      code: 38,
      int1: 20,
      message: `cannot create config directory ${at("storage")}: Not a directory`,
    });
  });

  it("are started once per boot", async () => {
    expect(await store.autostartBegan()).toBe(false);
    await store.markAutostart();
    await store.markAutostart();
    expect(await store.autostartBegan()).toBe(true);
  });
});

/** The name a write in progress has: seen, not known, so that the test follows the writer. */
async function leftoverName(): Promise<string> {
  const { isLeftoverOfAtomicWrite } = await import("../../dist/host/index.js");
  const seen = new Set<string>();
  let done = false;
  const writing = (async () => {
    for (let round = 0; round < 200; round++) await store.saveDefinition(pool("good"));
  })().finally(() => {
    done = true;
  });
  while (!done) for (const name of await readdir(at("storage"))) if (isLeftoverOfAtomicWrite(name)) seen.add(name);
  await writing;
  const [name] = seen;
  if (name === undefined) throw new Error("no write was seen in progress");
  return name;
}
