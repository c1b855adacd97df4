import { mkdirSync, writeFileSync } from "node:fs";
import { readPool } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outsidePools, planAdoption } from "../../dist/attachments/adoption.js";
import type { Attachment } from "../../dist/attachments/model.js";
import { Storage } from "../volumes/storage.js";
import { attachment, inPool } from "./known.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

function file(path: string): string {
  writeFileSync(path, "");
  return path;
}

function plan(all: readonly Attachment[]) {
  return planAdoption(outsidePools(all), storage.registry, async () => storage.laboratory.host);
}

describe("adoption", () => {
  it("makes one pool of each directory, whose document can be defined", async () => {
    const images = storage.directory("images");
    mkdirSync(`${images}/deep`);
    const a = file(`${images}/a.img`);
    const b = file(`${images}/b.img`);
    const base = file(`${images}/deep/base.img`);
    const { proposals, left } = await plan([
      attachment("web", a),
      attachment("db", b),
      attachment("db", base, { role: "backing" }),
    ]);
    expect(left).toEqual([]);
    expect(proposals).toMatchObject([
      {
        name: "images",
        type: "dir",
        action: "define",
        places: [a, b],
        domains: ["db", "web"],
      },
      { name: "deep", type: "dir", action: "define", places: [base], domains: ["db"] },
    ]);
    const document = readPool(proposals[0]?.xml ?? "");
    expect(document).toMatchObject({ type: "dir", name: "images", target: { path: images } });
  });

  it("leaves alone what a pool has, firmware, and shared directories", async () => {
    const all = [
      attachment("web", "/srv/a", inPool("p", "a")),
      attachment("web", "/usr/share/OVMF/OVMF_CODE.fd", { role: "loader" }),
      attachment("web", "/home/shared", { role: "filesystem" }),
    ];
    expect(await plan(all)).toEqual({ proposals: [], left: [] });
  });

  it("gives names that are free", async () => {
    storage.directory("images");
    await storage.started("images");
    const places = ["one", "two"].map((name) => {
      mkdirSync(`${storage.directory(name)}/images`);
      return file(storage.path(name, "images", "a"));
    });
    const { proposals } = await plan(places.map((place) => attachment("web", place)));
    expect(proposals.map(({ name }) => name)).toEqual(["images-2", "images-3"]);
  });

  it("starts, or refreshes, the pool that is there", async () => {
    storage.directory("p");
    const pool = await storage.started("p");
    const disk = attachment("web", file(storage.path("p", "new.img")));
    const missing = attachment("web", storage.path("p", "missing.img"));
    const inRefresh = await plan([disk, missing]);
    expect(inRefresh.proposals).toMatchObject([{ name: "p", action: "refresh", places: [disk.place] }]);
    expect(inRefresh.left).toEqual([{ place: missing.place, reason: "there is no such file now" }]);
    pool.active = false;
    // Its start may bring the file.
    const inStart = await plan([disk, missing]);
    expect(inStart).toMatchObject({ proposals: [{ name: "p", action: "start" }], left: [] });
    expect(inStart.proposals[0]?.places).toEqual([missing.place, disk.place]);
  });

  it("says why no pool can have something", async () => {
    storage.directory("directory");
    const { proposals, left } = await plan([
      attachment("web", "/dev/loop7"),
      attachment("web", "/dev/sdzz"),
      attachment("web", "/dev/sdzz1"),
      attachment("web", "/dev/vg/gone"),
      attachment("web", "rbd:pool/image"),
      attachment("web", storage.path("directory")),
      attachment("web", "/disk.img"),
      attachment("web", storage.path("nowhere", "disk.img")),
      attachment("web", "nvme:0000:01:00.0/1"),
      attachment("web", "vhost-user:/run/vhost.sock"),
    ]);
    expect(proposals).toEqual([]);
    const byPlace = [...left].sort((a, b) => (a.place < b.place ? -1 : 1));
    expect(byPlace).toEqual([
      { place: "/dev/loop7", reason: "the device is made anew at each boot" },
      { place: "/dev/sdzz", reason: "there is no such device now" },
      { place: "/dev/sdzz1", reason: "there is no such device now" },
      { place: "/dev/vg/gone", reason: "there is no such device now" },
      { place: "/disk.img", reason: "a pool of the root directory would be one of the whole host" },
      { place: storage.path("directory"), reason: "it is a directory, which no pool has as a disk" },
      { place: storage.path("nowhere", "disk.img"), reason: "there is no such file now" },
      { place: "nvme:0000:01:00.0/1", reason: "the guest has the device to itself" },
      { place: "rbd:pool/image", reason: "it is not on this host" },
      { place: "vhost-user:/run/vhost.sock", reason: "it is a socket, behind which is what another process serves" },
    ]);
  });
});
