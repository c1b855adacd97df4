import { readDisk } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { guestToChange, knownGuests } from "../../dist/attachments/guests.js";
import type { KnownDomain, SourceFacts } from "../../dist/attachments/model.js";
import { chooseTarget } from "../../dist/attachments/targets.js";
import { domain, source } from "./known.js";

/** Guests that sources have told of, and those that they tell of when asked. */
function sourcesOf(told: readonly KnownDomain[], untold: readonly KnownDomain[] = [], sources = [source()]) {
  const all = [...told];
  return {
    sources: (): readonly SourceFacts[] => sources,
    domains: () => all,
    refreshDomain: async ({ name }: Pick<KnownDomain, "name">) => {
      all.push(...untold.filter((guest) => guest.name === name));
      return true;
    },
  };
}

describe("a guest that somebody names", () => {
  const UUID = "c0ffee00-0000-4000-8000-000000000001";

  it("is found by its name, and by its UUID in any letters", async () => {
    const web = { ...domain("web"), uuid: UUID };
    expect(await knownGuests(sourcesOf([web]), "web")).toEqual([web]);
    expect(await knownGuests(sourcesOf([web]), UUID.toUpperCase())).toEqual([web]);
  });

  it("is asked for where no source has told of it yet", async () => {
    expect(await knownGuests(sourcesOf([], [domain("new")]), "new")).toEqual([domain("new")]);
    await expect(knownGuests(sourcesOf([], [domain("new")]), "old")).rejects.toMatchObject({ code: 42, domain: 18 });
  });

  it("can be changed only by a connection, and only if one hypervisor has it", async () => {
    const file = source({ name: "/etc/libvirt/qemu", kind: "directory" });
    const inFile = { ...domain("web"), source: file.name };
    await expect(guestToChange(sourcesOf([inFile], [], [file]), "web")).rejects.toMatchObject({
      code: 55,
      message: expect.stringContaining("known by its files alone"),
    });
    const both = sourcesOf([inFile, domain("web")], [], [file, source()]);
    expect(await guestToChange(both, "web")).toEqual(domain("web"));
    const other = source({ name: "qemu+unix:///session" });
    const twice = sourcesOf([domain("web"), { ...domain("web"), source: other.name }], [], [source(), other]);
    await expect(guestToChange(twice, "web")).rejects.toMatchObject({ code: 55 });
  });
});

describe("a target", () => {
  const disk = (target: string) => readDisk(`<disk><target dev='${target}'/></disk>`);
  const guest = (...targets: readonly string[]) => domain("web", { disks: targets.map(disk) });
  const ANY = { target: null, bus: null };

  it.each([
    ["virtio, where nothing is said", guest(), ANY, "vda"],
    ["the first gap", guest("vda", "vdc"), ANY, "vdb"],
    ["that of the bus", guest("vda"), { target: null, bus: "sata" }, "sda"],
    ["two letters behind z", guest(...[..."abcdefghijklmnopqrstuvwxyz"].map((letter) => `vd${letter}`)), ANY, "vdaa"],
    ["as it is wished", guest("vda"), { target: "vdq", bus: null }, "vdq"],
  ])("is %s", (_which, of, wish, expected) => {
    expect(chooseTarget(of, wish)).toBe(expected);
  });

  it("may be taken already, also by a disk that is not understood, or be of no bus", () => {
    const unread = domain("web", { unreadDisks: [{ target: "vda", reason: "unknown disk type 'cloud'" }] });
    expect(chooseTarget(unread, ANY)).toBe("vdb");
    expect(() => chooseTarget(unread, { target: "vda", bus: null })).toThrow("already has a disk 'vda'");
    expect(() => chooseTarget(guest(), { target: null, bus: "cloud" })).toThrow("'cloud' is no bus");
  });
});
