import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

const xmlOf = (name: string): string => `<volume><name>${name}</name><capacity>4096</capacity></volume>`;
const emptyXmlOf = (name: string): string => xmlOf(name).replace("</volume>", "<allocation>0</allocation></volume>");

describe("of its source, a clone", () => {
  it("takes what has the name when its document was read, and is refused when that is being written", async () => {
    const images = storage.directory("images");
    writeFileSync(`${images}/source`, "old content");
    const pool = await storage.started("images");
    const { reached, open, pass } = gate();
    const read = storage.parser.volume.bind(storage.parser);
    storage.parser.volume = async (...args) => {
      await pass();
      return await read(...args);
    };
    const cloning = storage.clone(pool, "source", xmlOf("copy"));
    await reached;
    storage.parser.volume = read;
    await storage.remove("images", "source");
    await storage.create(pool, emptyXmlOf("source"));
    const upload = await storage.transfers.upload({ pool: "images", name: "source" }, 0n, 0n, 0, DAEMON_REQUESTER);
    open();
    await expect(cloning).rejects.toMatchObject({
      code: 55,
      message: expect.stringContaining("volume 'source' is still in use."),
    });
    await upload.abort();
    await pool.settling;
    expect(readdirSync(images)).toEqual(["source"]);
  });

  it("that a scan found replaced while it waited for its turn takes nothing", async () => {
    const images = storage.directory("images");
    writeFileSync(`${images}/source`, "old content");
    const pool = await storage.started("images");
    let cloning: Promise<unknown> = Promise.resolve();
    await pool.lock.run(async () => {
      cloning = storage.clone(pool, "source", xmlOf("copy"));
      cloning.catch(() => {});
      rmSync(`${images}/source`);
      await storage.scan(pool);
      writeFileSync(`${images}/source`, "somebody else's");
      await storage.scan(pool);
    });
    await expect(cloning).rejects.toMatchObject({ code: 50 });
    expect(existsSync(`${images}/copy`)).toBe(false);
  });
});
