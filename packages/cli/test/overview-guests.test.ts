import type { AttachmentConflict, Connection, DomainSource } from "@cistern/client";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { expect, test } from "vitest";
import type { Context } from "../dist/context.js";
import { worriesAboutGuests } from "../dist/overview/guests.js";

function worries(sources: readonly Partial<DomainSource>[], conflicts: readonly Partial<AttachmentConflict>[]) {
  const uses = { domainSources: async () => sources, conflicts: async () => ({ items: conflicts, doubts: [] }) };
  return worriesAboutGuests({ uses } as unknown as Connection, { call: {} } as Context);
}

test("what costs data comes first, then who does not answer; warnings are no worry", async () => {
  const sources = [
    { name: "qemu:///system", answers: true, reason: null },
    { name: "/guests", answers: false, reason: "no such directory" },
  ];
  const conflicts = [
    { severity: "warning", detail: "a" },
    { severity: "error", detail: "b" },
    { severity: "error", detail: "c" },
  ];
  expect(await worries(sources, conflicts)).toEqual([
    { what: "b, and 1 more", command: "cistern conflicts" },
    { what: "/guests does not say what its guests use: no such directory", command: "cistern domain-sources" },
  ]);
  expect(await worries([], [{ severity: "warning", detail: "a" }])).toEqual([]);
});

test("a daemon that is no Cistern is asked once", async () => {
  const refusal = LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, "x");
  const uses = { domainSources: async () => Promise.reject(refusal), conflicts: async () => ({ items: [] }) };
  expect(await worriesAboutGuests({ uses } as unknown as Connection, { call: {} } as Context)).toEqual([]);
});
