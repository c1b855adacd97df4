import { mkdirSync } from "node:fs";
import { Domain } from "@cistern/client";
import { readDomain } from "@cistern/documents";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DomainReader } from "../../dist/attachments/sources/domain-reader.js";
import { SourceMemory } from "../../dist/attachments/sources/source-memory.js";
import { Laboratory } from "../drivers/laboratory.js";
import { standIn } from "../drivers/stand-in.js";
import { guestXml } from "./guests.js";

const UUID = "6f1a4f0e-51a5-4c1c-9d0e-2a3b4c5d6e7f";
const nobody = () => Promise.reject(new Error("nobody is asked"));
const real = new Domain({ call: nobody, openStream: nobody }, { name: "web", uuid: UUID, id: -1 });

let laboratory: Laboratory;
let memory: SourceMemory;
let reader: DomainReader;
/** What its listener was told of the guest: its state and whether it is live, or "gone". */
let told: string[];
beforeEach(async () => {
  laboratory = new Laboratory();
  mkdirSync(laboratory.path("memory"));
  const directory = await laboratory.host.openDirectory(laboratory.path("memory"));
  memory = new SourceMemory("test", "connection", { directory, warn: () => {} });
  told = [];
  await memory.open({
    one: ({ state, isLive }) => told.push(`${state}${isLive ? ", live" : ""}`),
    gone: () => told.push("gone"),
  });
  reader = new DomainReader(memory, async (xml) => readDomain(xml));
});
afterEach(async () => {
  await memory.close();
  await laboratory.close();
});

/** A reading of the guest as it is now, which comes when it is let go. */
function begin(state: "running" | "shut off"): { readonly comes: () => Promise<void> } {
  let letGo: (state: "running" | "shutoff") => void = () => {};
  const answer = new Promise<"running" | "shutoff">((resolve) => {
    letGo = resolve;
  });
  const isActive = state === "running";
  const domain = standIn(real, {
    state: () => answer,
    isActive: async () => isActive,
    isPersistent: async () => true,
    xml: async () => guestXml("web", [], isActive ? 1 : null),
  });
  const reading = reader.read(domain, {});
  return {
    comes: () => {
      letGo(isActive ? "running" : "shutoff");
      return reading;
    },
  };
}

it("a reading that has come is told, whatever newer one is under way", async () => {
  const asked = begin("running");
  const event = begin("running");
  await asked.comes();
  expect(memory.get({ name: "web", uuid: UUID })?.isLive).toBe(true);
  await event.comes();
  expect(told).toEqual(["running, live", "running, live"]);
});

it("a reading that comes after a newer one is no news", async () => {
  const older = begin("shut off");
  const newer = begin("running");
  await newer.comes();
  await older.comes();
  expect(told).toEqual(["running, live"]);
  await begin("shut off").comes();
  expect(told).toEqual(["running, live", "shut off"]);
});
