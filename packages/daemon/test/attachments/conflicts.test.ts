import { readDisk } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findConflicts } from "../../dist/attachments/conflicts.js";
import type { Attachment, KnownDomain } from "../../dist/attachments/model.js";
import { qemuImg } from "../images/shared.js";
import { Storage } from "../volumes/storage.js";
import { attachment, domain, inPool, known } from "./known.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

function conflicts(all: readonly Attachment[], domains: readonly KnownDomain[] = []) {
  return findConflicts(known(all, domains), storage.registry).map(({ kind, severity, domains: guests, detail }) => ({
    kind,
    severity,
    guests,
    detail,
  }));
}

describe("one thing, several guests", () => {
  it("tells of two guests that run and write to the same volume", () => {
    const both = [
      attachment("web", "/srv/a.img", inPool("p", "a.img")),
      attachment("db", "/x", { ...inPool("p", "a.img"), identity: "path:/srv/a.img" }),
    ];
    expect(conflicts(both)).toEqual([
      {
        kind: "shared-writing",
        severity: "error",
        guests: ["db", "web"],
        detail: "'db', 'web' all write to volume 'p/a.img', and not all of them call it shareable",
      },
    ]);
  });

  it("only warns where they do not run both", () => {
    const both = [attachment("web", "/srv/a.img"), attachment("db", "/srv/a.img", { when: "next-boot" })];
    expect(conflicts(both)).toMatchObject([{ kind: "shared-writing", severity: "warning" }]);
  });

  it("tells of a guest that writes to what another's image is built on", () => {
    const below = attachment("web", "/srv/base", { role: "backing", isReadOnly: true });
    expect(conflicts([below, attachment("db", "/srv/base")])).toMatchObject([
      { kind: "shared-writing", detail: expect.stringContaining("'db' writes to '/srv/base', which 'web' reads") },
    ]);
  });

  it("tells of a guest that writes to the device on which another's logical volume lies", () => {
    const around = attachment("web", "/dev/sdb", { role: "container" });
    expect(conflicts([around, attachment("db", "/dev/sdb")])).toMatchObject([
      { kind: "shared-writing", severity: "error", guests: ["db", "web"] },
    ]);
  });

  it("says nothing of a guest with two logical volumes on one device, nor of a partition and its own disk", () => {
    const two = ["vda", "vdb"].map((target) => attachment("web", "/dev/sdb", { role: "container", target }));
    expect(conflicts(two)).toEqual([]);
    const around = attachment("web", "/dev/sdc", { role: "container" });
    expect(conflicts([attachment("web", "/dev/sdc1"), around])).toEqual([]);
  });

  it.each([
    ["all call it shareable", { isShareable: true }],
    ["all only read", { isReadOnly: true }],
    ["all have it in a drive", { role: "cdrom" as const }],
    ["all are built on it", { role: "backing" as const }],
    ["it only holds what each uses", { role: "container" as const }],
  ])("says nothing where %s", (_case, more) => {
    expect(conflicts([attachment("web", "/srv/a", more), attachment("db", "/srv/a", more)])).toEqual([]);
  });

  it("knows one guest of two sources as one", () => {
    const web = (name: string) => ({ domain: { source: name, name: "web", uuid: "u", state: "running" as const } });
    expect(conflicts([attachment("web", "/a", web("one")), attachment("web", "/a", web("two"))])).toEqual([]);
  });

  it("tells of a volume that one guest has twice, but not of a disk that moved to another target", () => {
    const [now, then] = [attachment("web", "/a", { when: "live" }), attachment("web", "/a", { when: "next-boot" })];
    expect(conflicts([now, { ...then, target: "vdb" }])).toEqual([]);
    expect(conflicts([attachment("web", "/a"), attachment("web", "/a", { target: "vdb" })])).toEqual([
      {
        kind: "twice-in-one-guest",
        severity: "error",
        guests: ["web"],
        detail: "'web' has '/a' as vda and vdb at once",
      },
    ]);
  });

  it.each([
    ["/dev/sdb", "/dev/sdb1"],
    ["/dev/nvme0n1", "/dev/nvme0n1p2"],
    ["/dev/disk/by-id/ata-1", "/dev/disk/by-id/ata-1-part3"],
  ])("tells of the disk %s and its partition %s", (disk, partition) => {
    const both = [attachment("web", disk), attachment("db", partition)];
    expect(conflicts(both)).toMatchObject([
      {
        kind: "disk-and-partition",
        guests: ["db", "web"],
        detail: `'db' uses '${partition}', which is a part of '${disk}', used by 'web'`,
      },
    ]);
  });
});

describe("one guest", () => {
  it("tells what leads nowhere, with the reason", () => {
    expect(conflicts([attachment("web", "/gone", { problem: "No such file or directory" })])).toEqual([
      {
        kind: "unresolved",
        severity: "error",
        guests: ["web"],
        detail: "'web' uses '/gone' as vda: No such file or directory",
      },
    ]);
  });

  it("tells of a volume read as another format", async () => {
    qemuImg("create", "-q", "-f", "qcow2", `${storage.directory("p")}/a`, "1M");
    qemuImg("create", "-q", "-f", "raw", `${storage.directory("p")}/b`, "1M");
    await storage.started("p");
    const use = (volume: string, format: string | null) =>
      attachment("web", `/p/${volume}`, { ...inPool("p", volume), format });
    const found = (volume: string, format: string | null) =>
      conflicts([use(volume, format)]).filter(({ kind }) => kind === "format-mismatch");
    expect(found("a", "qcow2")).toEqual([]);
    expect(found("b", "raw")).toEqual([]);
    expect(found("b", null)).toEqual([]);
    expect(found("a", null)).toMatchObject([{ detail: "'web' reads volume 'p/a' as raw (vda), but it is qcow2" }]);
    expect(found("b", "qcow2")).toMatchObject([{ detail: "'web' reads volume 'p/b' as qcow2 (vda), but it is raw" }]);
  });

  describe("at the next boot", () => {
    const disk = attachment("web", "/p/a", inPool("p", "a"));
    const named = readDisk("<disk type='volume'><source pool='p' volume='a'/><target dev='vda'/></disk>");
    const byName = domain("web", { disks: [named] });

    it("needs a pool that its disk names to be started with the host", async () => {
      storage.directory("p");
      const pool = await storage.started("p");
      pool.persistent = true;
      expect(conflicts([disk], [byName])).toEqual([
        {
          kind: "missing-at-next-boot",
          severity: "warning",
          guests: ["web"],
          detail:
            "'web' needs volume 'p/a', but pool 'p' is not started with the host: it will be missing at the next boot",
        },
      ]);
      pool.autostart = true;
      expect(conflicts([disk], [byName])).toEqual([]);
      pool.persistent = false;
      expect(conflicts([disk], [byName])).toMatchObject([{ detail: expect.stringContaining("is transient") }]);
    });

    it("needs a pool that mounts its volumes, however its disk names them", async () => {
      storage.directory("p");
      const pool = await storage.started("p");
      pool.live = { ...pool.live, type: "fs" };
      expect(conflicts([disk])).toMatchObject([{ kind: "missing-at-next-boot" }]);
      expect(conflicts([{ ...disk, when: "live" }])).toEqual([]);
    });

    it("only notes, once for a pool, that what guests name by path will not be known as volumes", async () => {
      storage.directory("p");
      const pool = await storage.started("p");
      pool.persistent = true;
      const more = attachment("db", "/p/b", inPool("p", "b"));
      expect(conflicts([disk, more, { ...more, when: "live" }])).toEqual([
        {
          kind: "missing-at-next-boot",
          severity: "note",
          guests: ["db", "web"],
          detail:
            "pool 'p' is not started with the host: what 'db', 'web' uses of it will be there at the next boot, but is no volume and not protected until the pool is started",
        },
      ]);
      expect(conflicts([{ ...disk, when: "live" }])).toEqual([]);
      pool.persistent = false;
      expect(conflicts([disk])).toMatchObject([{ severity: "note", detail: expect.stringContaining("is transient") }]);
      pool.persistent = true;
      pool.autostart = true;
      expect(conflicts([disk, more])).toEqual([]);
    });

    it("is content with one of two pools over one place that is started with the host", async () => {
      storage.directory("p");
      const pool = await storage.started("p");
      const other = await storage.started("q", storage.path("p"));
      const both = { ...disk, volumes: ["p", "q"].map((name) => ({ pool: name, volume: "a" })) };
      pool.live = { ...pool.live, type: "fs" };
      // The one without which the guest does is told of.
      expect(conflicts([both])).toMatchObject([{ severity: "note", detail: expect.stringContaining("pool 'q'") }]);
      other.persistent = true;
      other.autostart = true;
      expect(conflicts([both])).toEqual([]);
    });
  });
});
