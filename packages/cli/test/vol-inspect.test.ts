import type { VolumeInspection } from "@cistern/client";
import { expect, it } from "vitest";
import { formatInspection } from "../dist/commands/vol-inspect.js";

const MIB = 1024n ** 2n;
const image: NonNullable<VolumeInspection["image"]> = {
  format: "qcow2",
  subformat: null,
  version: 3,
  capacityBytes: 10n * MIB,
  clusterSizeBytes: 65_536n,
  backing: { string: "base\u001b[2J", format: null },
  dataFiles: [],
  encryption: "luks",
  qcow2: {
    version: 3,
    virtualSizeBytes: 10n * MIB,
    clusterSizeBytes: 65_536n,
    refcountBits: 16,
    hasExtendedL2: true,
    compression: "zstd",
    hasLazyRefcounts: true,
    isDirty: true,
    isCorrupt: false,
    backing: { string: "base\u001b[2J", format: null },
    dataFile: null,
    encryption: "luks",
    luksHeader: { offsetBytes: 4096n, lengthBytes: 512n },
    featureNames: [],
    unknownFeatures: [{ kind: "incompatible", bit: 60, name: null }],
    snapshots: {
      count: 3,
      listed: [
        {
          id: "1",
          name: "before",
          createdNs: 1_800_000_000_000_000_000n,
          guestClockNs: 0n,
          vmStateBytes: MIB,
          virtualSizeBytes: null,
        },
        { id: "2", name: "odd", createdNs: 2n ** 64n - 1n, guestClockNs: 0n, vmStateBytes: 0n, virtualSizeBytes: MIB },
      ],
    },
    bitmaps: {
      count: 1,
      listed: [{ name: "backup", granularityBytes: 65_536n, isInUse: true, isRecording: true }],
    },
    problems: ["The refcount table lies beyond the end of the file."],
  },
  problems: ["The refcount table lies beyond the end of the file."],
};
const link: VolumeInspection["chain"][number] = {
  role: "volume",
  namedBy: null,
  name: "/images/top",
  path: "/images/top",
  format: "qcow2",
  formatOrigin: "recorded",
  place: "file",
  sizeBytes: MIB,
  allocatedBytes: MIB,
  capacityBytes: 10n * MIB,
  inside: { pool: "images", volume: "top" },
  image,
  problems: [],
};

it("an image is shown with its facts, snapshots, bitmaps, chain and problems, and cannot command the terminal", () => {
  const missing = {
    ...link,
    role: "backing",
    namedBy: 0,
    name: "base\u001b[2J",
    path: null,
    format: null,
    formatOrigin: null,
    place: "nowhere",
    sizeBytes: null,
    allocatedBytes: null,
    capacityBytes: null,
    inside: null,
    image: null,
    problems: [{ kind: "missing", detail: 'There is no "base\u001b[2J".' }],
  };
  const inspection = { pool: "images", volume: "top", image, chain: [link, missing], isComplete: false };
  expect(formatInspection(inspection)).toBe(
    [
      "Volume:           top",
      "Pool:             images",
      "Format:           qcow2, version 3",
      "Capacity:         10.00 MiB",
      "File size:        1.00 MiB",
      "Allocation:       1.00 MiB",
      "Cluster size:     64.00 KiB",
      "Encryption:       luks",
      "Backing:          base\\x1b[2J (format not declared)",
      "Refcounts:        16 bits, lazy",
      "Compression:      zstd",
      "Extended L2:      yes",
      "LUKS header:      512 bytes at 4096",
      "Unknown features: bit 60",
      "State:            not closed properly",
      "",
      "Snapshots (2 of 3)",
      " Id   Name     Created                Memory     Capacity",
      "-----------------------------------------------------------",
      " 1    before   2027-01-15T08:00:00Z   1.00 MiB   -",
      " 2    odd      2554-07-21T23:34:33Z   0.00 B     1.00 MiB",
      "",
      "Bitmaps",
      " Name     Granularity   Recording   Usable",
      "--------------------------------------------",
      " backup   64.00 KiB     yes         no",
      "",
      "Chain (incomplete)",
      " #   Role           Format             Capacity    Allocation   Volume       File",
      "------------------------------------------------------------------------------------------",
      " 0   volume         qcow2 (recorded)   10.00 MiB   1.00 MiB     images/top   /images/top",
      " 1   backing of 0   ?                  -           -            -            base\\x1b[2J",
      "",
      "Problems",
      "  0: The refcount table lies beyond the end of the file.",
      '  1: missing: There is no "base\\x1b[2J".',
      "",
    ].join("\n"),
  );
});

it("what was not looked into is said to be so", () => {
  const raw = { ...link, format: "raw", image: null };
  expect(formatInspection({ pool: "images", volume: "a.raw", image: null, chain: [raw], isComplete: true })).toBe(
    [
      "Volume:         a.raw",
      "Pool:           images",
      "Format:         raw",
      "File size:      1.00 MiB",
      "Allocation:     1.00 MiB",
      "Looked into:    no",
      "",
    ].join("\n"),
  );
});
