import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import type { Pool } from "../../dist/pools/pool.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

let storage: Storage;
let images: string;
let pool: Pool;
beforeEach(async () => {
  storage = await Storage.open();
  images = storage.directory("images");
});
afterEach(() => storage.close());

const upload = (place: string, name: string) =>
  storage.transfers.upload({ pool: place, name }, 0n, 0n, 0, DAEMON_REQUESTER);
const download = (place: string, name: string) =>
  storage.transfers.download({ pool: place, name }, 0n, 0n, 0, DAEMON_REQUESTER);
const wipe = (place: string, name: string) => storage.volumes.wipe({ pool: place, name }, 0, 0, DAEMON_REQUESTER);
const resize = (place: string, name: string) =>
  storage.volumes.resize({ pool: place, name }, 1_048_576n, 0, DAEMON_REQUESTER);
const clone = (name: string) => storage.clone(pool, name, "<volume><name>copy</name><capacity>1</capacity></volume>");
const inUse = (name: string) => ({
  code: 55,
  domain: 18,
  message: `Requested operation is not valid: volume '${name}' is still in use.`,
});

/** Everything that would lose what is being uploaded, or read the middle of it. */
async function refusesAll(place: string, name: string): Promise<void> {
  await expect(storage.remove(place, name)).rejects.toMatchObject(inUse(name));
  await expect(wipe(place, name)).rejects.toMatchObject(inUse(name));
  await expect(resize(place, name)).rejects.toMatchObject(inUse(name));
  await expect(upload(place, name)).rejects.toMatchObject(inUse(name));
  await expect(download(place, name)).rejects.toMatchObject(inUse(name));
  if (place === pool.name) await expect(clone(name)).rejects.toMatchObject(inUse(name));
}

describe("of a file that is more than one volume", () => {
  beforeEach(async () => {
    writeFileSync(`${images}/src`, "old");
    symlinkSync("src", `${images}/symlink`);
    linkSync(`${images}/src`, `${images}/hardlink`);
    writeFileSync(`${images}/other`, "");
    symlinkSync(images, storage.path("shortcut"));
    pool = await storage.started("images");
    await storage.started("twin", storage.path("shortcut"));
  });

  it("an upload to one is in the way of all others, and of nothing else", async () => {
    const running = await upload("images", "src");
    await running.write(Buffer.from("new content"));
    for (const name of ["symlink", "hardlink"]) await refusesAll("images", name);
    for (const name of ["src", "symlink", "hardlink"]) await refusesAll("twin", name);
    await wipe("images", "other");
    await running.finish();
    await pool.settling;
    expect(readFileSync(`${images}/src`, "utf8")).toBe("new content");
    // It is free again, by every name; a symlink is still followed after it was looked at.
    await storage.volumes.info({ pool: "twin", name: "symlink" }, 0);
    const next = await upload("twin", "symlink");
    await refusesAll("images", "src");
    await next.finish();
    await storage.remove("twin", "hardlink");
    expect(existsSync(`${images}/hardlink`)).toBe(false);
  });

  it("readers do not mind each other, and keep writers away", async () => {
    const readers = [
      await download("images", "src"),
      await download("twin", "src"),
      await download("images", "symlink"),
    ];
    await expect(wipe("images", "hardlink")).rejects.toMatchObject(inUse("hardlink"));
    for (const reader of readers) await reader.close();
    await wipe("images", "hardlink");
  });

  it("nothing is built on one while another one is deleted", async () => {
    const { reached, open, pass } = gate();
    storage.operations = { remove: () => pass() };
    const removing = storage.remove("images", "src");
    await reached;
    const xml = `<volume><name>overlay</name><capacity>1024</capacity><target><format type='qcow2'/></target>
      <backingStore><path>${storage.path("shortcut")}/src</path><format type='raw'/></backingStore></volume>`;
    mkdirSync(storage.path("elsewhere"));
    const elsewhere = await storage.started("elsewhere");
    await expect(storage.create(elsewhere, xml)).rejects.toMatchObject({
      message: expect.stringContaining("volume 'src' is being deleted"),
    });
    open();
    await removing;
  });
});

it.each(["raw", "qcow2"])("of a %s volume just made it is known without a scan", async (format) => {
  pool = await storage.started("images");
  const xml = `<volume><name>made</name><capacity>4096</capacity><allocation>0</allocation>
    <target><format type='${format}'/></target></volume>`;
  await storage.create(pool, xml);
  symlinkSync(images, storage.path("shortcut"));
  await storage.started("twin", storage.path("shortcut"));
  const running = await upload("images", "made");
  await refusesAll("twin", "made");
  await running.abort();
});
