// Volume documents from libvirt's own test data with what a real libvirtd made of them in a directory pool on ext4.

import { describe, expect, it } from "vitest";
import { DocumentError } from "../dist/errors.js";
import { validateVolume } from "../dist/validation/validate.js";
import { readVolume } from "../dist/volume-reader.js";
import { writeVolume } from "../dist/volume-writer.js";
import { isSharedPresent, type Recorded, readRecordings } from "./shared-material.js";

interface RecordedVolume {
  readonly input: string;
  readonly libvirtd: { readonly create: Recorded<true>; readonly xml?: Recorded<string> };
}
const VOLUMES = readRecordings<RecordedVolume>("corpus/volumes");

/** Refused by what came after reading: the document as such is good. */
const REFUSED_LATER = new Map([
  ["example-vol-cow", "qemu-img knows no cow"],
  ["vol-file-backing", "raw has no backing store"],
  ["vol-luks", "there is no such secret"],
  ["vol-qcow2-0.10-lazy", "qcow2 version 2 has no lazy_refcounts"],
  ["vol-qcow2-encryption", "there is no such secret"],
  ["vol-qcow2-luks", "there is no such secret"],
]);

/** The recording says T for times; 0 is as good. */
const withTimes = (xml: string) => xml.replaceAll(">T<", ">0<");

describe.skipIf(!isSharedPresent)("recorded volume documents (need ../shared)", () => {
  it("are all there", () => {
    expect(VOLUMES.length).toBe(16);
  });

  it.each(VOLUMES)("%s", (name, { input, libvirtd: { create, xml } }) => {
    const read = () => readVolume(input, "dir", { capacity: "optional-with-backing" });
    if ("err" in create && !REFUSED_LATER.has(name)) {
      expect(read).toThrow(DocumentError);
      expect(read).toThrow(
        expect.objectContaining({
          libvirtCode: create.err.code,
          libvirtDomain: create.err.domain,
          message: create.err.str2,
        }),
      );
      return;
    }
    const volume = read();
    if ("err" in create) {
      const written = writeVolume(volume, "dir");
      const again = readVolume(written, "dir", { capacity: "required" });
      expect(again).toEqual({ ...volume, hasAllocation: true });
      return;
    }
    if (xml === undefined || "err" in xml) {
      throw new Error(`${name}: created, but no document is recorded`);
    }
    const recorded = readVolume(withTimes(xml.ok), "dir", { capacity: "required", measured: "read" });
    const { mode, owner, group } = volume.target.permissions;
    const measured = {
      ...volume,
      key: recorded.key,
      // A capacity of 0 is measured too.
      capacityBytes: volume.capacityBytes || recorded.capacityBytes,
      allocationBytes: recorded.allocationBytes,
      physicalBytes: recorded.physicalBytes,
      target: {
        ...volume.target,
        path: recorded.target.path,
        timestamps: recorded.target.timestamps,
        permissions: {
          mode: mode ?? recorded.target.permissions.mode,
          owner: owner ?? recorded.target.permissions.owner,
          group: group ?? recorded.target.permissions.group,
          // ext4 without a security module has no labels.
          label: null,
        },
      },
    };
    expect(writeVolume(measured, "dir")).toBe(withTimes(xml.ok));
  });

  it.each(VOLUMES)("%s is valid", (_, { input }) => {
    expect(() => validateVolume(input)).not.toThrow();
  });

  const BACKING_STRINGS = readRecordings<Record<string, { readonly xml: Recorded<string> }>>("corpus").flatMap(
    ([name, strings]) => (name === "backing-strings" ? Object.entries(strings) : []),
  );
  it("are written as they were read, whatever the backing store", () => {
    const documents = BACKING_STRINGS.flatMap(([, { xml }]) => ("ok" in xml ? [withTimes(xml.ok)] : []));
    expect(documents.length).toBeGreaterThan(10);
    for (const document of documents) {
      const volume = readVolume(document, "dir", { capacity: "required", measured: "read" });
      expect(writeVolume(volume, "dir")).toBe(document);
      expect(() => validateVolume(document)).not.toThrow();
    }
  });
});
