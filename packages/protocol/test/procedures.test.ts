import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byEffort } from "../../../tests/support/effort.js";
import {
  type AnyMessage,
  type AnyProcedure,
  cistern,
  cisternEvents,
  decodeXdr,
  encodeXdr,
  events,
  messageByNumber,
  PROGRAM,
  ProtocolError,
  procedureByNumber,
  procedures,
  remoteError,
  type Schema,
  streamHole,
} from "../dist/index.js";
import { arbitraryValue } from "./arbitrary-value.js";

const all = Object.entries<AnyProcedure>(procedures);
const messages = Object.entries<AnyMessage>({ ...events, ...cisternEvents });
const own = Object.values<AnyProcedure>(cistern);

/** Every body that travels, by name. */
const bodies: readonly (readonly [name: string, schema: Schema<unknown>])[] = [
  ...all.flatMap(([key, { args, result }]) => [
    [`${key} arguments`, args] as const,
    [`${key} result`, result] as const,
  ]),
  ...messages.map(([key, { payload }]) => [`${key} event`, payload] as const),
  ["error", remoteError],
  ["stream hole", streamHole],
];

const runs = { numRuns: byEffort({ fast: 10, normal: 25, long: 2000 }) };

describe.each(bodies)("%s", (_name, schema) => {
  const anyValue = arbitraryValue(schema);

  it("comes back as it was sent, whatever its value", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const { value: decoded, trailingBytes } = decodeXdr(schema, encodeXdr(schema, value));
        expect(trailingBytes).toBe(0);
        expect(decoded).toEqual(value);
      }),
      runs,
    );
  });

  it("is one ProtocolError wherever it is cut off", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeXdr(schema, value);
        for (let length = 0; length < bytes.length; length++) expectProtocolError(schema, bytes.subarray(0, length));
      }),
      { numRuns: 5 },
    );
  });

  it("is understood or one ProtocolError when any word of it is replaced by a hostile one", () => {
    fc.assert(
      fc.property(
        anyValue,
        fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 4_194_305, 65_537, 0),
        (value, word) => {
          const bytes = encodeXdr(schema, value);
          for (let offset = 0; offset + 4 <= bytes.length; offset += 4) {
            const hostile = bytes.slice();
            new DataView(hostile.buffer).setUint32(offset, word);
            decodeOrProtocolError(schema, hostile);
          }
        },
      ),
      { numRuns: 5 },
    );
  });

  it("is understood or one ProtocolError when it is random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeOrProtocolError(schema, bytes)),
      runs,
    );
  });
});

describe("the tables", () => {
  it("have as key the procedure's name in camel case", () => {
    for (const [key, { name }] of [...all, ...messages]) expect(key).toBe(camelCase(name));
  });

  it("find every procedure and event by its number, and no number twice", () => {
    for (const [, procedure] of all) expect(procedureByNumber(procedure.number, procedure.program)).toBe(procedure);
    for (const [, message] of messages) expect(messageByNumber(message.number, message.program)).toBe(message);
    const numbers = [...all, ...messages].map(([, { program, number }]) => `${program} ${number}`);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(procedureByNumber(1)).toBe(procedures.connectOpen);
    expect(procedureByNumber(1, PROGRAM.CISTERN)).toBe(procedures.jobList);
    expect(procedureByNumber(1, PROGRAM.QEMU)).toBeUndefined();
    expect(messageByNumber(cisternEvents.jobEvent.number)).toBeUndefined();
    expect(procedureByNumber(0)).toBeUndefined();
    expect(procedureByNumber(370)).toBeUndefined();
  });

  it("hold all that a storage daemon is asked", () => {
    expect(all.length - own.length).toBe(117);
    expect(messages.length).toBe(13);
  });

  it("hold Cistern's own program, whose numbers stay what they are", () => {
    expect(own.map(({ program, number, name }) => `${program.toString(16)} ${number} ${name}`)).toEqual([
      "43697374 1 JOB_LIST",
      "43697374 2 JOB_GET",
      "43697374 3 JOB_WATCH",
      "43697374 4 JOB_UNWATCH",
      "43697374 5 JOB_CANCEL",
      "43697374 6 JOB_SET_BANDWIDTH",
      "43697374 7 POOL_GET_COMMITMENT",
      "43697374 8 VOLUME_INSPECT",
      "43697374 10 POOL_GET_AUTOSTART",
      "43697374 11 DOMAIN_SOURCE_LIST",
      "43697374 12 ATTACHMENT_LIST",
      "43697374 13 VOLUME_EXPLAIN",
      "43697374 14 CONFLICT_LIST",
      "43697374 15 ORPHAN_LIST",
      "43697374 16 ADOPTION_PLAN",
      "43697374 17 POOL_CHECK_REACH",
      "43697374 18 VOLUME_ATTACH",
      "43697374 19 VOLUME_DETACH",
      "43697374 20 SET_REFUSE_DEFINED",
    ]);
    expect(cisternEvents.jobEvent).toMatchObject({ program: 0x43697374, number: 9, name: "JOB_EVENT" });
  });

  it("name libvirt's functions for messages", () => {
    for (const [key, { api, program }] of all) {
      if (program === PROGRAM.CISTERN) expect(api.toLowerCase()).toBe(`cistern${key.toLowerCase()}`);
      else expect(api).toMatch(/^vir(Connect|Node|Domain|Secret|StoragePool|StorageVol)[A-Z]/);
    }
    expect(procedures.storagePoolDefineXml.api).toBe("virStoragePoolDefineXML");
    expect(procedures.storageVolCreateXmlFrom.api).toBe("virStorageVolCreateXMLFrom");
    expect(procedures.storagePoolLookupByUuid.api).toBe("virStoragePoolLookupByUUID");
  });

  it("refuse on read-only connections what changes something, and what shows contents", () => {
    const names = all.filter(([, { requiresWrite }]) => requiresWrite).map(([key]) => key);
    expect(names.sort()).toEqual(
      [
        "adoptionPlan",
        "connectFindStoragePoolSources",
        "connectGetDomainCapabilities",
        "domainAttachDeviceFlags",
        "domainDetachDeviceFlags",
        "jobCancel",
        "jobSetBandwidth",
        "poolCheckReach",
        "secretDefineXml",
        "secretGetValue",
        "secretSetValue",
        "secretUndefine",
        "storagePoolBuild",
        "storagePoolCreate",
        "storagePoolCreateXml",
        "storagePoolDefineXml",
        "storagePoolDelete",
        "storagePoolDestroy",
        "storagePoolRefresh",
        "storagePoolSetAutostart",
        "storagePoolUndefine",
        "storageVolCreateXml",
        "storageVolCreateXmlFrom",
        "storageVolDelete",
        "storageVolDownload",
        "storageVolResize",
        "storageVolUpload",
        "storageVolWipe",
        "storageVolWipePattern",
        "volumeAttach",
        "volumeDetach",
      ].sort(),
    );
  });

  it("mark the two procedures that open streams", () => {
    const streams = all.filter(([, { stream }]) => stream !== undefined).map(([key, { stream }]) => [key, stream]);
    expect(streams).toEqual([
      ["storageVolUpload", "upload"],
      ["storageVolDownload", "download"],
    ]);
  });
});

function expectProtocolError(schema: Schema<unknown>, bytes: Uint8Array): void {
  let thrown: unknown;
  try {
    decodeXdr(schema, bytes);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ProtocolError);
}

/** Anything thrown that is no ProtocolError fails the test. */
function decodeOrProtocolError(schema: Schema<unknown>, bytes: Uint8Array): void {
  try {
    expect(decodeXdr(schema, bytes).trailingBytes).toBeLessThanOrEqual(bytes.length);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.kind !== "decode") throw error;
  }
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}
