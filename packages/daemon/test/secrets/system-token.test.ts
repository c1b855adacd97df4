import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hosts } from "../../dist/host/index.js";
import { SystemToken } from "../../dist/secrets/index.js";

let directory = "";
let hosts: Hosts;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cistern-token-"));
  hosts = new Hosts();
});
afterAll(async () => {
  await hosts.close();
  await rm(directory, { recursive: true, force: true });
});

describe("the system token", () => {
  it("is made once, for root's eyes only, and known afterwards", async () => {
    const path = join(directory, "system.token");
    const token = new SystemToken(hosts.local, path);
    expect(await token.read()).toBeNull();
    expect(await token.matches("")).toBe(false);
    await token.ensure();
    const content = await readFile(path, "utf8");
    expect(content).toMatch(/^[0-9a-f]{32}$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await token.ensure();
    expect(await readFile(path, "utf8")).toBe(content);
    expect(await token.read()).toBe(content);
    expect(await token.matches(content)).toBe(true);
    expect(await token.matches(content.replace(/.$/, "x"))).toBe(false);
    expect(await token.matches(content.slice(1))).toBe(false);
  });

  it.each(["", "short", "z".repeat(32), "0".repeat(31)])("is not %j", async (content) => {
    const path = join(directory, "other.token");
    await writeFile(path, content);
    const token = new SystemToken(hosts.local, path);
    expect(await token.read()).toBeNull();
    expect(await token.matches(content)).toBe(false);
  });

  it("has no place to be in where the directory is missing", async () => {
    const token = new SystemToken(hosts.local, join(directory, "absent/system.token"));
    await token.ensure();
    expect(await token.read()).toBeNull();
  });
});
