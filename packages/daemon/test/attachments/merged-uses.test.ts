import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Silences } from "../../dist/attachments/identity/silences.js";
import { Resolver } from "../../dist/attachments/resolver.js";
import { Storage } from "../volumes/storage.js";
import { type GuestDisk, guest } from "./guests.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
  for (const name of ["a", "b"]) writeFileSync(storage.path(name), name);
  symlinkSync(storage.path("a"), storage.path("link-to-a"));
});
afterEach(() => storage.close());

function disk(name: string, { target = "vda", format = "raw", bus = "virtio", more = "" } = {}): GuestDisk {
  return { target, format, bus, more, source: `file='${storage.path(name)}'` };
}

interface Told {
  readonly live?: readonly GuestDisk[];
  readonly persistent?: readonly GuestDisk[];
}

/** "both vda write a": when, as what, how, which file (and how it is read, where that is not raw). */
async function told({ live, persistent }: Told): Promise<string[]> {
  const uses = await new Resolver(storage.backends.hostAt, storage.registry, new Silences()).usesOf({
    ...guest("g", [], "live"),
    live: live === undefined ? null : guest("g", live, "live").live,
    persistent: persistent === undefined ? null : guest("g", persistent).persistent,
  });
  return uses.map(({ when, role, target, bus, isReadOnly, isShareable, format, realPath }) => {
    const access = isReadOnly ? "read" : isShareable ? "shared" : "write";
    const name = realPath?.split("/").at(-1);
    const words = [
      when,
      role === "disk" ? null : role,
      target,
      access,
      name,
      ...[format, bus].filter((word) => word !== "raw" && word !== "virtio"),
    ];
    return words.filter((word) => word !== null).join(" ");
  });
}

describe("what a guest uses now and what it is defined with", () => {
  const READ_ONLY = { more: "<readonly/>" };
  const SHAREABLE = { more: "<shareable/>" };

  it.each<[string, () => Told, string[]]>([
    ["now only", () => ({ live: [disk("a")], persistent: [] }), ["live vda write a"]],
    ["now only, of a transient guest", () => ({ live: [disk("a")] }), ["live vda write a"]],
    ["at the next boot only", () => ({ live: [], persistent: [disk("a")] }), ["next-boot vda write a"]],
    ["at the next boot, of one that is off", () => ({ persistent: [disk("a")] }), ["next-boot vda write a"]],
    ["both", () => ({ live: [disk("a")], persistent: [disk("a")] }), ["both vda write a"]],
    ["both, by two names", () => ({ live: [disk("a")], persistent: [disk("link-to-a")] }), ["both vda write a"]],
    [
      "another file as the same disk",
      () => ({ live: [disk("a")], persistent: [disk("b")] }),
      ["live vda write a", "next-boot vda write b"],
    ],
    [
      "the same file as another disk",
      () => ({ live: [disk("a")], persistent: [disk("a", { target: "vdb" })] }),
      ["live vda write a", "next-boot vdb write a"],
    ],
    [
      "read only now, written to at the next boot",
      () => ({ live: [disk("a", READ_ONLY)], persistent: [disk("a")] }),
      ["live vda read a", "next-boot vda write a"],
    ],
    [
      "written to now, read only at the next boot",
      () => ({ live: [disk("a")], persistent: [disk("a", READ_ONLY)] }),
      ["live vda write a", "next-boot vda read a"],
    ],
    [
      "shareable now, no longer at the next boot",
      () => ({ live: [disk("a", SHAREABLE)], persistent: [disk("a")] }),
      ["live vda shared a", "next-boot vda write a"],
    ],
    [
      "shareable only from the next boot on",
      () => ({ live: [disk("a")], persistent: [disk("a", SHAREABLE)] }),
      ["live vda write a", "next-boot vda shared a"],
    ],
    [
      "in another format",
      () => ({ live: [disk("a")], persistent: [disk("a", { format: "vdi" })] }),
      ["live vda write a", "next-boot vda write a vdi"],
    ],
    [
      "by another bus",
      () => ({ live: [disk("a")], persistent: [disk("a", { bus: "scsi" })] }),
      ["live vda write a", "next-boot vda write a scsi"],
    ],
    [
      "some of each",
      () => ({ live: [disk("a"), disk("b", { target: "vdb" })], persistent: [disk("a")] }),
      ["both vda write a", "live vdb write b"],
    ],
  ])("%s", async (_title, documents, uses) => {
    expect(await told(documents())).toEqual(uses);
  });
});

it("a chain that the running guest's document tells and one that only the headers tell are the same", async () => {
  const qemuImg = ["create", "-q", "-f", "qcow2", "-b", storage.path("a"), "-F", "raw", storage.path("top"), "1M"];
  execFileSync("qemu-img", qemuImg);
  const more = `<backingStore type='file'><format type='raw'/><source file='${storage.path("a")}'/></backingStore>`;
  const live = [disk("top", { format: "qcow2", more })];
  const persistent = [disk("top", { format: "qcow2" })];
  const chain = (when: string) => [`${when} vda write top qcow2`, `${when} backing vda read a`];
  expect((await told({ live, persistent })).sort()).toEqual(chain("both").sort());
  expect((await told({ live })).sort()).toEqual(chain("live").sort());
});

it("what writes in one place and reads in another writes, and is shared where all of them say so", async () => {
  const shareable = "<shareable/>";
  const readOnly = { target: "vda", more: "<readonly/>" };
  expect(await told({ live: [disk("a", readOnly), disk("link-to-a", { target: "vda" })] })).toEqual([
    "live vda write a",
  ]);
  expect(await told({ live: [disk("a", { more: shareable }), disk("link-to-a")] })).toEqual(["live vda write a"]);
});

it("one file in two roles is told of in each", async () => {
  const more = `<mirror type='file' job='copy'><format type='raw'/><source file='${storage.path("a")}'/></mirror>`;
  expect(await told({ live: [disk("a", { more })] })).toEqual(["live vda write a", "live mirror vda write a"]);
});
