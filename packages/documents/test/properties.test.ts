// What holds for every volume and secret, whatever is in them.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { POOL_TYPES } from "../dist/pool.js";
import { volumeFormats } from "../dist/pool-types.js";
import { readSecret, type SecretDocument, writeSecret } from "../dist/secret.js";
import { validateSecret, validateVolume } from "../dist/validation/validate.js";
import { VOLUME_FEATURES, VOLUME_TYPES, type VolumeDocument, type VolumeTarget } from "../dist/volume.js";
import { readVolume } from "../dist/volume-reader.js";
import { writeVolume } from "../dist/volume-writer.js";

/** Text that XML can hold. Blanks at its ends count, line ends in it do not survive in attributes. */
const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .map((value) => value.replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "_"));
const name = text.map((value) => value.replaceAll("/", "_"));
const path = name.map((value) => `/${value}`);
const size = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const instant = fc.bigInt({ min: 0n, max: 2n ** 33n * 1_000_000_000n });
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const uuid = fc.uuid();

const permissions = fc.record({
  mode: orNull(fc.integer({ min: 0, max: 0o777 })),
  owner: orNull(fc.integer({ min: 0, max: 2 ** 32 - 2 })),
  group: orNull(fc.integer({ min: 0, max: 2 ** 32 - 2 })),
  label: orNull(text),
});
const timestamps = fc.record({ accessNs: instant, modificationNs: instant, changeNs: instant, birthNs: instant });
const secrets = fc
  .oneof(
    uuid.map((value) => ({ uuid: value })),
    text.map((value) => ({ usage: value })),
  )
  .map((lookup) => [{ type: "passphrase" as const, lookup }]);
const engine = fc.constantFrom(null, "qemu" as const, "librbd" as const);
const cipher = fc.record({
  name: text,
  sizeBits: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mode: orNull(text),
  hash: orNull(text),
});
const ivgen = fc.record({ name: text, hash: orNull(text) });
const encryption = fc.oneof(
  fc.record({
    format: fc.constantFrom("default" as const, "qcow" as const),
    engine,
    secrets,
    cipher: fc.constant(null),
    ivgen: fc.constant(null),
  }),
  fc.record({
    format: fc.constantFrom("luks" as const, "luks2" as const),
    engine,
    secrets,
    cipher,
    ivgen: orNull(ivgen),
  }),
);
const compatAndFeatures = fc.oneof(
  fc.record({ compat: fc.constantFrom(null, "0.10", "1.1"), features: fc.constant(null) }),
  fc.record({ compat: fc.constantFrom("0.10", "1.1"), features: fc.subarray([...VOLUME_FEATURES]) }),
);

const volumeAndPoolType = fc.constantFrom(...POOL_TYPES).chain((poolType) => {
  const formats = volumeFormats(poolType)?.values;
  const format = formats === undefined ? fc.constant(null) : fc.constantFrom(...formats);
  const target: fc.Arbitrary<VolumeTarget> = fc
    .tuple(
      fc.record({
        path: orNull(text),
        format,
        permissions,
        timestamps: orNull(timestamps),
        encryption: orNull(encryption),
        clusterSizeBytes: size,
        noCopyOnWrite: fc.constant(false),
      }),
      compatAndFeatures,
    )
    .map(([some, others]) => ({ ...some, ...others }));
  const backingStore: fc.Arbitrary<VolumeTarget> = fc
    .record({ path: text, format, permissions, timestamps: orNull(timestamps) })
    .map((some) => ({
      ...some,
      encryption: null,
      compat: null,
      clusterSizeBytes: 0n,
      features: null,
      noCopyOnWrite: false,
    }));
  const extents = fc.array(fc.record({ startBytes: size, endBytes: size }), { minLength: 1, maxLength: 3 });
  const volume: fc.Arbitrary<VolumeDocument> = fc.record({
    type: fc.constantFrom(...VOLUME_TYPES),
    name,
    key: orNull(text),
    source: fc.array(fc.record({ devicePath: path, extents }), { maxLength: 2 }),
    capacityBytes: size,
    allocationBytes: size,
    hasAllocation: fc.constant(true),
    physicalBytes: size,
    target,
    backingStore: orNull(backingStore),
  });
  return fc.record({ poolType: fc.constant(poolType), volume });
});

const secret: fc.Arbitrary<SecretDocument> = fc.record({
  uuid,
  ephemeral: fc.boolean(),
  private: fc.boolean(),
  description: orNull(text),
  usage: fc.oneof(
    fc.constant({ type: "none" as const, id: "" }),
    path.map((id) => ({ type: "volume" as const, id })),
    fc.record({ type: fc.constantFrom("ceph" as const, "iscsi" as const, "tls" as const, "vtpm" as const), id: name }),
  ),
});

describe("every volume", () => {
  it("is read as it was written, in a pool of every type", () => {
    fc.assert(
      fc.property(volumeAndPoolType, ({ volume, poolType }) => {
        const xml = writeVolume(volume, poolType);
        const read = readVolume(xml, poolType, { capacity: "required", measured: "read" });
        expect(read).toEqual(volume);
        expect(writeVolume(read, poolType)).toBe(xml);
      }),
      { numRuns: 500 },
    );
  });

  it("asked for again has nothing that was measured, and stays so", () => {
    fc.assert(
      fc.property(volumeAndPoolType, ({ volume, poolType }) => {
        const asked = readVolume(writeVolume(volume, poolType), poolType, { capacity: "required" });
        expect(asked).toMatchObject({ name: volume.name, key: null, source: [], physicalBytes: 0n });
        expect(asked.target).toMatchObject({ path: null, timestamps: null, encryption: volume.target.encryption });
        const xml = writeVolume(asked, poolType);
        expect(writeVolume(readVolume(xml, poolType, { capacity: "required" }), poolType)).toBe(xml);
      }),
      { numRuns: 200 },
    );
  });

  it("is valid as we write it", () => {
    fc.assert(
      fc.property(volumeAndPoolType, ({ volume, poolType }) => {
        expect(() => validateVolume(writeVolume(volume, poolType))).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

describe("every secret", () => {
  it("is read as it was written, and valid", () => {
    fc.assert(
      fc.property(secret, (document) => {
        const xml = writeSecret(document);
        expect(readSecret(xml)).toEqual(document);
        expect(() => validateSecret(xml)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});
