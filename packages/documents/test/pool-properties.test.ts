// Any pool document that can be written reads back to itself.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_PERMISSIONS } from "../dist/permissions.js";
import { POOL_TYPES, type PoolAdapter, type PoolDocument, type PoolType } from "../dist/pool.js";
import { readPool } from "../dist/pool-reader.js";
import { poolTypeFacts } from "../dist/pool-types.js";
import { writePool } from "../dist/pool-writer.js";
import { readPoolConfigFile, readPoolState, writePoolConfigFile, writePoolStateFile } from "../dist/state.js";

/** Text that XML can hold: no control characters but tab and line feed (a parser turns \r into \n), no half pairs. */
const character = fc
  .oneof(fc.constantFrom(..."<>&\"' /-é€😀\t\n]"), fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }))
  .filter((text) => /^[^\x00-\x08\x0b-\x1f\ufffe\uffff]+$/.test(text) && text.isWellFormed());
const text = fc.array(character, { minLength: 1, maxLength: 8 }).map((characters) => characters.join(""));
/** In an attribute a parser turns line ends and tabs into blanks. */
const attribute = text.map((value) => value.replace(/[\t\n]/g, "_"));
const name = text.map((value) => value.replace(/[/\n]/g, "_"));
const uuid = fc.uuid();
const boolean = fc.option(fc.boolean());
const path = fc.array(fc.constantFrom("a", "b c", "é", "d.e"), { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const wwn = fc.stringMatching(/^[0-9a-f]{16}$/);

const scsiHost: fc.Arbitrary<PoolAdapter> = fc.oneof(
  fc.record({ type: fc.constant("scsi_host" as const), name: attribute, parentAddress: fc.constant(null) }),
  fc.record({
    type: fc.constant("scsi_host" as const),
    name: fc.constant(null),
    parentAddress: fc.record({
      uniqueId: fc.nat(),
      domain: fc.nat(0xffff),
      bus: fc.nat(0xff),
      slot: fc.nat(0x1f),
      function: fc.nat(7),
    }),
  }),
);
const fibreChannelHost: fc.Arbitrary<PoolAdapter> = fc
  .record({
    parent: fc.option(attribute),
    parents: fc.option(fc.tuple(wwn, wwn)),
    parentFabricWwn: fc.option(wwn),
    managed: boolean,
    wwnn: wwn,
    wwpn: wwn,
  })
  .map(({ parents, ...rest }) => ({
    type: "fc_host",
    ...rest,
    parentWwnn: parents?.[0] ?? null,
    parentWwpn: parents?.[1] ?? null,
  }));
const permissions = fc.record({
  mode: fc.option(fc.nat(0o777)),
  owner: fc.option(fc.nat(2 ** 32 - 2)),
  group: fc.option(fc.nat(2 ** 32 - 2)),
  label: fc.option(text),
});
const authentication = fc
  .record({
    type: fc.constantFrom("chap" as const, "ceph" as const),
    username: attribute,
    secret: fc.oneof(fc.record({ uuid }), fc.record({ usage: attribute })),
    secretType: fc.option(attribute, { nil: undefined }),
  })
  .map(({ secretType, ...rest }) => (secretType === undefined ? rest : { ...rest, secretType }));

/** Documents of a type as a reader gives them. */
function documents(type: PoolType): fc.Arbitrary<PoolDocument> {
  const { source: parts, formats, target } = poolTypeFacts[type];
  const isDeviceOnly = type === "fs" || type === "disk";
  const only = <T>(condition: boolean, value: fc.Arbitrary<T>, otherwise: T) =>
    condition ? value : fc.constant(otherwise);
  const format = formats === null ? fc.constant(null) : fc.constantFrom(...formats.values);
  return fc
    .record({
      name,
      uuid,
      copyOnWrite: only(type === "dir" || type === "fs", boolean, null),
      source: fc.record({
        hosts: only(
          parts.hosts,
          fc.array(fc.record({ name: attribute, port: fc.nat(65535) }), { minLength: 1, maxLength: 3 }),
          [],
        ),
        devices: only(
          parts.devices,
          fc.array(fc.record({ path: attribute, partSeparator: boolean, freeExtents: fc.constant([]) }), {
            minLength: isDeviceOnly ? 1 : 0,
            maxLength: 3,
          }),
          [],
        ),
        directory: only<string | null>(parts.directory, path, null),
        adapter: only<PoolAdapter | null>(parts.adapter, fc.oneof(scsiHost, fibreChannelHost), null),
        name: only<string | null>(parts.name, text, null),
        initiatorIqn: only<string | null>(
          parts.initiator,
          type === "iscsi-direct" ? attribute : fc.option(attribute),
          null,
        ),
        format,
        authentication: fc.option(authentication),
        protocolVersion: fc.option(attribute.map((version) => version.replaceAll(",", "."))),
        vendor: fc.option(attribute),
        product: fc.option(attribute),
      }),
      path,
      permissions,
      refreshVolumeAllocation: fc.option(fc.constantFrom("default" as const, "capacity" as const)),
      mountOptions: only(type === "fs" || type === "netfs", fc.array(attribute, { maxLength: 3 }), []),
      rbdOptions: only(
        type === "rbd",
        fc.array(fc.record({ name: attribute, value: attribute }), { maxLength: 3 }),
        [],
      ),
    })
    .map(({ path: targetPath, permissions: targetPermissions, ...rest }) => {
      // A version is refused with all but the first two formats of a list.
      const takesVersion = formats === null || formats.values.indexOf(rest.source.format ?? "") < 2;
      const source = { ...rest.source, protocolVersion: takesVersion ? rest.source.protocolVersion : null };
      return {
        type,
        ...rest,
        source,
        capacityBytes: 0n,
        allocationBytes: 0n,
        availableBytes: 0n,
        target: {
          path: target === "none" ? null : target === "path" ? targetPath : `${target}/${source.name}`,
          permissions: target === "none" ? NO_PERMISSIONS : targetPermissions,
        },
      };
    });
}

describe.each(POOL_TYPES)("any %s pool", (type) => {
  it("reads back to itself, also from libvirt's files", () => {
    fc.assert(
      fc.property(documents(type), (document) => {
        const written = writePool(document);
        expect(readPool(written)).toEqual(document);
        expect(writePool(readPool(written))).toBe(written);
        expect(readPoolConfigFile(writePoolConfigFile(document))).toEqual(document);
        expect(readPoolState(writePoolStateFile(document))).toEqual(document);
      }),
      { numRuns: 100 },
    );
  });
  it("gives one kind of error, whatever is cut from its document", () => {
    fc.assert(
      fc.property(documents(type), fc.nat(), fc.nat(40), (document, at, length) => {
        const written = writePool(document);
        const start = at % written.length;
        const cut = written.slice(0, start) + written.slice(start + length + 1);
        try {
          expect(readPool(cut).type).toBeTypeOf("string");
        } catch (error) {
          expect(error).toMatchObject({ name: "DocumentError" });
        }
      }),
      { numRuns: 50 },
    );
  });
});
