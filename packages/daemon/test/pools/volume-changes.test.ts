import { describe, expect, it } from "vitest";
import { Volume } from "../../dist/pools/volume.js";
import { VolumeChanges } from "../../dist/pools/volume-changes.js";
import { VolumeTable } from "../../dist/pools/volume-table.js";
import * as documents from "../drivers/documents.js";

function volume(name: string, capacityBytes = 1_000n): Volume {
  return new Volume({ document: documents.volumeIn("/p", name, { capacityBytes }), evidence: null });
}

function tableOf(...volumes: readonly Volume[]): VolumeTable {
  const table = new VolumeTable();
  for (const each of volumes) table.add(each);
  return table;
}

/** What the pool has after a scan that found `found`, while `meanwhile` happened. */
function afterScan(changes: VolumeChanges, found: readonly Volume[], meanwhile: () => void): Volume[] {
  changes.scanBegins();
  meanwhile();
  const table = tableOf(...found);
  changes.applyTo(table);
  changes.scanEnded();
  return [...table];
}

describe("a scan that is overtaken", () => {
  it("does not lose what was made after it had looked", () => {
    const changes = new VolumeChanges();
    const made = volume("made");
    const after = afterScan(changes, [], () => {
      changes.building(made);
      changes.built(made);
    });
    expect(after).toEqual([made]);
  });

  it("does not bring back what was removed after it had looked", () => {
    const changes = new VolumeChanges();
    const gone = volume("gone");
    expect(afterScan(changes, [volume("gone"), volume("stays")], () => changes.removed(gone))).toMatchObject([
      { name: "stays" },
    ]);
  });

  it("has the changed volume, not what it saw of it before", () => {
    const changes = new VolumeChanges();
    const resized = volume("a", 2_000n);
    const after = afterScan(changes, [volume("a", 1_000n)], () => changes.changed(resized));
    expect(after).toEqual([resized]);
    expect(after[0]).toBe(resized);
  });

  it("of one that was removed and made anew under its name has the new one", () => {
    const changes = new VolumeChanges();
    const [old, made] = [volume("a"), volume("a")];
    const after = afterScan(changes, [old], () => {
      changes.removed(old);
      changes.building(made);
      changes.built(made);
    });
    expect(after).toHaveLength(1);
    expect(after[0]).toBe(made);
  });

  it("of one that was made and removed again has none", () => {
    const changes = new VolumeChanges();
    const made = volume("a");
    const after = afterScan(changes, [volume("a")], () => {
      changes.building(made);
      changes.built(made);
      changes.removed(made);
    });
    expect(after).toEqual([]);
  });

  it("does not show what could not be built", () => {
    const changes = new VolumeChanges();
    const failed = volume("a");
    const after = afterScan(changes, [], () => {
      changes.building(failed);
      changes.abandoned(failed);
    });
    expect(after).toEqual([]);
  });
});

describe("what is being built", () => {
  it("is in every scan's result, however many there are, before it has a file", () => {
    const changes = new VolumeChanges();
    const growing = volume("a");
    growing.building = true;
    changes.building(growing);
    for (const _scan of [1, 2, 3]) expect(afterScan(changes, [], () => {})).toEqual([growing]);
    changes.built(growing);
    growing.building = false;
    expect(afterScan(changes, [], () => {})).toEqual([]);
  });

  it("stands in place of a foreign file that took its name meanwhile", () => {
    const changes = new VolumeChanges();
    const growing = volume("a");
    changes.building(growing);
    const after = afterScan(changes, [volume("a"), volume("b")], () => {});
    expect(after.find(({ name }) => name === "a")).toBe(growing);
    expect(after).toHaveLength(2);
  });

  it("that was given up may hide what a scan has found, or is finding, under its name", () => {
    const changes = new VolumeChanges();
    const growing = volume("a");
    changes.building(growing);
    afterScan(changes, [volume("a")], () => {});
    expect(changes.abandoned(growing)).toBe(true);

    afterScan(changes, [volume("a")], () => changes.building(growing));
    expect(changes.abandoned(growing)).toBe(true);

    changes.building(growing);
    afterScan(changes, [], () => expect(changes.abandoned(growing)).toBe(true));

    changes.building(growing);
    afterScan(changes, [volume("b")], () => {});
    expect(changes.abandoned(growing)).toBe(false);
  });

  it("that was given up between two scans leaves the name to who has it", () => {
    const changes = new VolumeChanges();
    const growing = volume("a");
    const foreign = volume("a");
    changes.building(growing);
    expect(changes.abandoned(growing)).toBe(false);
    expect(afterScan(changes, [foreign], () => {})).toEqual([foreign]);
  });
});

describe("what a scan saw of a volume is older than what the pool knows", () => {
  it("while it is built, written, or has changed since the scan began, and at no other time", () => {
    const changes = new VolumeChanges();
    const known = volume("a");
    expect(changes.isNewer(known)).toBe(false);
    const end = known.lease.write("a");
    expect(changes.isNewer(known)).toBe(true);
    end();
    const endRead = known.lease.read("a");
    expect(changes.isNewer(known)).toBe(false);
    endRead();
    known.building = true;
    expect(changes.isNewer(known)).toBe(true);
    known.building = false;
    // Before a scan begins nothing is remembered: it will be seen.
    changes.changed(known);
    changes.scanBegins();
    expect(changes.isNewer(known)).toBe(false);
    changes.changed(known);
    expect(changes.isNewer(known)).toBe(true);
    changes.scanEnded();
    expect(changes.isNewer(known)).toBe(false);
  });
});
