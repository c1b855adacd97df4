import { mkdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { DomainTable } from "../../dist/attachments/domain-table.js";
import { Silences } from "../../dist/attachments/identity/silences.js";
import { limits } from "../../dist/limits.js";
import { Storage } from "../volumes/storage.js";
import { guest } from "./guests.js";

const GUESTS = 160;
let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

it("storage that hangs is waited for once, whatever lies there is known by its name, and all else by what it is", async (context) => {
  const reason = missing(fuseRequirements);
  context.skip(reason !== null, reason ?? "");
  const local = storage.directory("local");
  for (const directory of ["source", "source/a", "source/b", "mounted"]) mkdirSync(storage.path(directory));
  for (const file of ["local/disk", "source/a/disk", "source/b/disk"]) writeFileSync(storage.path(file), "");
  await storage.started("local", local);
  await using fuse = await mountFuse(storage.path("source"), storage.path("mounted"));
  const pools = { pools: storage.registry, silences: new Silences() };
  const table = new DomainTable({
    ...pools,
    hostAt: (path) => storage.laboratory.hosts.forPath(path),
    warn: (text) => {
      throw new Error(text);
    },
  });
  fuse.hang();
  const begun = performance.now();
  for (let number = 0; number < GUESTS; number++) {
    const directory = number % 2 === 0 ? "a" : "b";
    table.put(guest(`far${number}`, [{ source: `file='${storage.path("mounted", directory, "disk")}'` }], "live"));
  }
  table.put(guest("near", [{ source: `file='${local}/disk'` }], "live"));
  await table.resolved();
  // One wait for the first few that are looked at together, and none for the others.
  expect(performance.now() - begun).toBeLessThan(4 * limits.attachmentLookMs);
  fuse.recover();
  const uses = new Map([...table].map(({ domain, uses: [use] }) => [domain.name, use]));
  expect(uses.get("near")).toMatchObject({ isUnknown: false, identity: expect.stringMatching(/^file:/) });
  for (const name of ["far0", `far${GUESTS - 1}`]) {
    expect(uses.get(name)).toMatchObject({
      isUnknown: true,
      identity: expect.stringContaining(storage.path("mounted")),
    });
  }
}, 120_000);
