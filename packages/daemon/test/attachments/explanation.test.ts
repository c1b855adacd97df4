import { symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { explain, type Surroundings } from "../../dist/attachments/explanation.js";
import { findOrphans } from "../../dist/attachments/orphans.js";
import { BackingUsers } from "../../dist/volumes/backing-users.js";
import { qemuImg } from "../images/shared.js";
import { Storage } from "../volumes/storage.js";
import { attachment, inPool, known, source } from "./known.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
  writeFileSync(`${storage.directory("p")}/a`, "bytes");
  writeFileSync(`${storage.directory("p")}/b`, "bytes");
});
afterEach(() => storage.close());

const ALONE: Surroundings = {
  overlays: [],
  pools: [],
  jobs: [],
  deletesBackingStores: false,
  refusesDefinedUses: false,
};
const SILENT = source({ answers: false, reason: "Connection refused" });

/** An image of the pool's directory on something that is not read. */
function overlay(name: string, base: string): void {
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", base, "-F", "raw", storage.path("p", name), "1M");
}

describe("explain", () => {
  const explained = async (about: ReturnType<typeof known>, surroundings: Partial<Surroundings> = {}) => {
    if (storage.registry.findByName("p") === undefined) await storage.started("p");
    return explain(storage.volumes.resolve({ pool: "p", name: "a" }), about, { ...ALONE, ...surroundings });
  };

  it("says that a running guest keeps a volume, and what it would lose", async () => {
    const facts = await explained(known([attachment("web", "/p/a", inPool("p", "a"))]));
    expect(facts).toMatchObject({
      verdict: "in-use",
      obstacles: ["guest 'web' (running) uses it as vda"],
      losses: ["guest 'web' would lose vda while it runs, and could not start any more"],
      doubts: [],
    });
  });

  it("says through which images a guest rests on a volume", async () => {
    const backing = attachment("web", "/p/a", { ...inPool("p", "a"), role: "backing", through: ["/p/top", "/p/mid"] });
    expect((await explained(known([backing]))).obstacles).toEqual([
      "guest 'web' (running) uses it as backing of vda through '/p/top' -> '/p/mid'",
    ]);
  });

  it("lets a volume go that only a definition names, and says what would become of the guest", async () => {
    const defined = attachment("web", "/p/a", { ...inPool("p", "a"), when: "next-boot" });
    expect(await explained(known([defined]))).toMatchObject({
      verdict: "next-boot",
      obstacles: [],
      losses: ["guest 'web' could not start any more: its definition names it as vda"],
    });
    expect((await explained(known([defined]), { refusesDefinedUses: true })).obstacles).toHaveLength(1);
  });

  it("calls what nobody uses unused only if everybody answered", async () => {
    expect(await explained(known([]))).toMatchObject({ verdict: "unused", doubts: [] });
    const doubt = "domain source 'qemu:///system' does not answer: Connection refused";
    expect(await explained(known([], [], [SILENT], [doubt]))).toMatchObject({ verdict: "unknown", doubts: [doubt] });
    expect(await explained(known([], [], []))).toMatchObject({
      verdict: "unknown",
      doubts: ["no domain source is configured, so nobody was asked who uses volumes"],
    });
  });

  it("names the work that is under way", async () => {
    const jobs = [{ id: 7, title: "wipe volume 'a' of pool 'p'" }];
    expect(await explained(known([]), { jobs })).toMatchObject({
      verdict: "in-use",
      obstacles: ["job 7 is under way: wipe volume 'a' of pool 'p'"],
    });
    const { volume } = storage.volumes.resolve({ pool: "p", name: "a" });
    const end = volume.lease.read("a");
    expect((await explained(known([]))).obstacles).toEqual(["its content is being read"]);
    end();
    expect((await explained(known([]))).obstacles).toEqual([]);
  });

  it("names the volumes that are built on it", async () => {
    overlay("top", storage.path("p", "a"));
    await storage.started("p");
    const placed = storage.volumes.resolve({ pool: "p", name: "a" });
    const overlays = await new BackingUsers(storage.registry, storage.backends).overlaysOn(placed);
    expect(await explained(known([]), { overlays })).toMatchObject({
      verdict: "in-use",
      overlays: [{ pool: "p", volume: "top" }],
      obstacles: ["volume 'p/top' is built on it"],
    });
    expect(await explained(known([]), { overlays, deletesBackingStores: true })).toMatchObject({ obstacles: [] });
  });
});

/** It was active before the daemon, and does not answer. */
async function unseenPool(): Promise<void> {
  storage.directory("silent");
  (await storage.started("silent")).isUnseen = true;
}
const UNSEEN = "what is in pool 'silent' is not known: it was not seen since the daemon began";

it("a pool that was not seen yet may have overlays: nothing is called unused, nor deleted", async () => {
  await storage.started("p");
  await unseenPool();
  const placed = storage.volumes.resolve({ pool: "p", name: "a" });
  const of = { ...ALONE, pools: storage.registry };
  expect(explain(placed, known([]), of)).toMatchObject({ verdict: "unknown", obstacles: [UNSEEN], doubts: [UNSEEN] });
  expect(explain(placed, known([]), { ...of, deletesBackingStores: true }).obstacles).toEqual([]);
  await expect(storage.remove("p", "a")).rejects.toMatchObject({ code: 55 });
});

describe("orphans", () => {
  const orphans = async (about: ReturnType<typeof known>, offset = 0, count = 10) => {
    const bases = await new BackingUsers(storage.registry, storage.backends).bases();
    return findOrphans(about, storage.registry, bases, { offset, count });
  };
  const names = ({ orphans: found }: Awaited<ReturnType<typeof orphans>>) => found.map(({ volume }) => volume).sort();

  it("are the volumes that no guest uses, with what is known of them", async () => {
    await storage.started("p");
    const page = await orphans(known([attachment("web", "/p/a", inPool("p", "a"))]));
    expect(page).toMatchObject({ total: 1, doubts: [], sources: [{ name: "qemu:///system" }] });
    expect(page.orphans).toMatchObject([{ pool: "p", volume: "b", path: storage.path("p", "b"), capacityBytes: 5n }]);
    expect(page.orphans[0]?.modificationNs).toBeGreaterThan(0n);
  });

  it("come in pages that together are all of them", async () => {
    await storage.started("p");
    const pages = [await orphans(known([]), 0, 1), await orphans(known([]), 1, 1), await orphans(known([]), 2, 1)];
    expect(pages.map(({ total }) => total)).toEqual([2, 2, 2]);
    expect(pages.flatMap(names).sort()).toEqual(["a", "b"]);
  });

  it("are in doubt where a source does not answer, or a pool was not seen", async () => {
    await storage.started("p");
    await unseenPool();
    expect((await orphans(known([], [], [SILENT], ["it is silent"]))).doubts).toEqual(["it is silent", UNSEEN]);
  });

  it("are not what other volumes are built on, by whatever path", async () => {
    overlay("top", storage.path("p", "a"));
    symlinkSync(storage.path("p"), storage.path("way"));
    overlay("other", storage.path("way", "b"));
    await storage.started("p");
    expect(names(await orphans(known([])))).toEqual(["other", "top"]);
  });

  it("are not what is just being made", async () => {
    const pool = await storage.started("p");
    const volume = pool.volumes.get("b");
    if (volume !== undefined) volume.building = true;
    expect(names(await orphans(known([])))).toEqual(["a"]);
  });
});
