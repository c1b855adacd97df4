import type { VolumeDocument } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import type { FoundVolume } from "../../dist/drivers/driver.js";
import type { ScanEvidence } from "../../dist/host/host.js";
import { Volume } from "../../dist/pools/volume.js";
import { VolumeTable } from "../../dist/pools/volume-table.js";

const evidence = (inode: bigint): ScanEvidence => {
  return { device: 9n, inode, sizeBytes: 1n, modificationNs: 1n, changeNs: 1n };
};
const documentOf = (name: string): VolumeDocument => {
  return {
    name,
    type: "file",
    key: `/p/${name}`,
    source: [],
    capacityBytes: 1n,
    allocationBytes: 1n,
    hasAllocation: true,
    physicalBytes: 1n,
    target: { path: `/p/${name}` } as VolumeDocument["target"],
    backingStore: null,
  };
};
const namesOf = (volumes: Iterable<Volume>): string[] => [...volumes].map(({ name }) => name);

it("overlays are those that a look found to have a backing store or a data file, in the place where they were", () => {
  const table = new VolumeTable();
  const on = { path: "/p/base" } as VolumeDocument["target"];
  const [a, b, c] = ["a", "b", "c"].map((name) => new Volume({ document: documentOf(name), evidence: null }));
  for (const volume of [a, b, c]) if (volume !== undefined) table.add(volume);
  expect(namesOf(table.overlays)).toEqual([]);
  const look = (volume: Volume | undefined, more: Partial<FoundVolume>): void => {
    if (volume !== undefined) table.update(volume, { document: documentOf(volume.name), evidence: null, ...more });
  };
  look(a, { document: { ...documentOf("a"), backingStore: on } });
  look(b, { dataFile: "/p/data" });
  look(a, { document: { ...documentOf("a"), backingStore: on } });
  // A look that says nothing of it changes nothing.
  look(b, {});
  expect(namesOf(table.overlays)).toEqual(["a", "b"]);
  look(a, {});
  look(b, { dataFile: null });
  expect(namesOf(table.overlays)).toEqual([]);
});

describe("volumes by what they lead to", () => {
  it("a scan tells which files they are: two names of one file are both found", () => {
    const table = new VolumeTable();
    for (const name of ["a", "b"]) table.add(new Volume({ document: documentOf(name), evidence: evidence(5n) }));
    expect(namesOf(table.byIdentity("file:9:5"))).toEqual(["a", "b"]);
    expect(table.unidentified.size).toBe(0);
  });

  it("what a scan cannot tell is asked for, and known from then on", () => {
    const table = new VolumeTable();
    const volume = new Volume({ document: documentOf("a"), evidence: null });
    table.add(volume);
    expect(namesOf(table.unidentified)).toEqual(["a"]);
    table.identify(volume, "block:2049");
    expect([namesOf(table.byIdentity("block:2049")), table.unidentified.size]).toEqual([["a"], 0]);
  });

  it("another file in its place is found by its own identity, the old one no more", () => {
    const table = new VolumeTable();
    const volume = new Volume({ document: documentOf("a"), evidence: evidence(5n) });
    table.add(volume);
    expect(table.update(volume, { document: documentOf("a"), evidence: evidence(6n) })).toBe(true);
    expect([namesOf(table.byIdentity("file:9:5")), namesOf(table.byIdentity("file:9:6"))]).toEqual([[], ["a"]]);
  });

  it("a volume that was deleted while somebody looked at it does not come back", () => {
    const table = new VolumeTable();
    const volume = new Volume({ document: documentOf("a"), evidence: evidence(5n) });
    table.add(volume);
    table.remove(volume);
    table.update(volume, { document: documentOf("a"), evidence: evidence(6n) });
    table.identify(volume, "file:9:7");
    expect(["file:9:5", "file:9:6", "file:9:7"].flatMap((identity) => namesOf(table.byIdentity(identity)))).toEqual([]);
  });
});
