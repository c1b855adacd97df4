import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { hypervisorUnavailable } from "../support/hypervisor.js";
import { fileDisk, GuestHost } from "./guest-host.js";

const unavailable = hypervisorUnavailable();

let host: GuestHost;
beforeAll(async () => {
  if (unavailable === undefined) host = await GuestHost.open();
});
beforeEach(({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
});
afterAll(async () => {
  if (unavailable === undefined) await host.close();
});

it("what a source said before it died still counts, and of nothing else is it said that it is unused", async () => {
  const pool = await host.pool("images");
  const [used, other] = [await host.volume(pool, "used.img"), await host.volume(pool, "other.img")];
  await host.define("web", fileDisk(used.key, "sda"));
  await host.start("web");
  const { uses } = host.connection;
  expect(await uses.explain(other)).toMatchObject({ verdict: "unused", doubts: [] });
  expect(await uses.domainSources()).toMatchObject([{ kind: "connection", answers: true, domains: 1 }]);

  await host.hypervisor.daemon.kill();
  await expect.poll(async () => (await uses.domainSources())[0]?.answers, { timeout: 20_000 }).toBe(false);
  expect(await uses.explain(other)).toMatchObject({ verdict: "unknown", obstacles: [] });
  expect((await uses.explain(other)).doubts).toHaveLength(1);
  const screen = (await host.cistern()).stdout;
  expect(screen).toContain(` ! ${host.hypervisorUri} does not say what its guests use: `);
  expect(screen).toContain("Next: cistern domain-sources\n");
  expect(await uses.explain(used)).toMatchObject({ verdict: "in-use" });
  await expect(used.delete()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });
  for await (const page of uses.orphans()) {
    expect(page.doubts).toHaveLength(1);
    expect(page.items.map(({ volume }) => volume)).toEqual(["other.img"]);
  }
  const silence = { code: 9, message: expect.stringContaining("does not answer; nothing was changed") };
  await expect(uses.attach(other, "web")).rejects.toMatchObject(silence);
  await expect(uses.detach(used, "web")).rejects.toMatchObject(silence);

  await host.hypervisor.daemon.start();
  await expect.poll(async () => (await uses.domainSources())[0]?.answers, { timeout: 60_000 }).toBe(true);
  expect(await uses.explain(other)).toMatchObject({ verdict: "unused", doubts: [] });
});
