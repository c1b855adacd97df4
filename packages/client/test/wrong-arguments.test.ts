import { once } from "node:events";
import { ErrorCode, LibvirtError, storage } from "@cistern/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { type Connection, Secret, Volume } from "../dist/index.js";
import { connectScripted } from "./scripted-connection.js";
import type { ScriptedServer } from "./scripted-server.js";

const uuid = "5e7a1f00-1111-2222-3333-444455556666";
const SIZE = "a bigint from 0 to 2^64-1";

let server: ScriptedServer;
let connection: Connection;

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
  return () => connection.close();
});

/** What a program in JavaScript may say: its compiler refuses nothing. */
const loosely = <Wanted>(value: unknown): Wanted => value as Wanted;
const volume = (): Volume => new Volume(connection, { pool: "p", name: "v", key: "/v" });
const secret = (): Secret => new Secret(connection, { uuid, usageType: 2, usageID: "s" });

type Case = readonly [title: string, call: () => Promise<unknown>, message: string | RegExp];

const cases: readonly Case[] = [
  [
    "an unknown way to wipe",
    () => volume().wipe(loosely("foo")),
    /^virStorageVolWipePattern: algorithm must be one of zero, nnsa, .*, trim, not "foo"$/,
  ],
  ["a negative size", () => volume().resize(-1n), `virStorageVolResize: capacity must be ${SIZE}, not -1n`],
  ["too large a size", () => volume().resize(2n ** 64n), `capacity must be ${SIZE}, not 18446744073709551616n`],
  [
    "a number for a bigint",
    () => volume().openUpload({ lengthBytes: loosely(20971520) }),
    `virStorageVolUpload: length must be ${SIZE}, not the number 20971520`,
  ],
  ["no offset", () => volume().openDownload({ offsetBytes: loosely(null) }), `offset must be ${SIZE}, not null`],
  ["a job that is no number", () => connection.cancelJob(loosely("x")), 'id must be a whole number from 0 on, not "x"'],
  [
    "a negative job",
    () => connection.cancelJob(loosely(-1n)),
    "cisternJobCancel: id must be a whole number from 0 on, not -1n",
  ],
  ["half a job", () => connection.lookupJob(1.5), "id must be a whole number from 0 on, not the number 1.5"],
  [
    "watching no job",
    () => connection.watchJobs(Number.NaN),
    "id must be a whole number from 0 on, not the number NaN",
  ],
  ["a negative limit", () => connection.setJobBandwidth(1, -1n), `bytesPerSecond must be ${SIZE}, not -1n`],
  [
    "an unknown pool type",
    () => connection.listPools({ types: [loosely("tape")] }),
    /types must be one of dir, .*"tape"$/,
  ],
  [
    "an unknown usage",
    () => connection.lookupSecretByUsage(loosely("foo"), "s"),
    /usage must be one of none, .*"foo"$/,
  ],
  ["a name that is none", () => connection.lookupPool(loosely(undefined)), /name must be a string .*, not undefined$/],
  [
    "a document that is too long",
    () => connection.definePool("x".repeat(5_000_000)),
    /, not a string of 5000000 characters$/,
  ],
  [
    "a part of a volume's name",
    () => new Volume(connection, { pool: "p", name: loosely(7), key: "/v" }).xml(),
    /^virStorageVolGetXMLDesc: vol\.name must be a string .*, not the number 7$/,
  ],
];

describe("arguments that cannot be meant are error 8 with the call, the argument and what is wanted", () => {
  it.each(cases)("%s", async (_title, call, message) => {
    const before = server.received.length;
    const error = await call().then(String, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ code: ErrorCode.INVALID_ARG, message: expect.stringMatching(/^\w+: /) });
    if (error instanceof LibvirtError) expect(error.message).toMatch(message);
    expect(server.received.length).toBe(before);
  });

  it.each([
    ["a text", "hunter2", "a string"],
    ["an array", [1, 2], "an object"],
    ["a number", 7, "a number"],
    ["nothing", undefined, "undefined"],
  ])("%s is no secret's value, and is not said", async (_title, value, said) => {
    const before = server.received.length;
    const error = await secret()
      .setValue(loosely(value))
      .catch((thrown: unknown) => thrown);
    const message = `virSecretSetValue: value must be a Uint8Array, not ${said}`;
    expect(error).toMatchObject({ code: ErrorCode.INVALID_ARG, message });
    expect(server.received.length).toBe(before);
  });

  it.each([
    ["a number", 4096, "the number 4096"],
    ["a negative one", -1n, "-1n"],
    ["one that is too long", 2n ** 63n, "9223372036854775808n"],
    ["none", undefined, "undefined"],
  ])("%s is no length of a hole in an upload", async (_title, holeBytes, said) => {
    server.on(storage.storageVolUpload, () => undefined);
    const upload = await volume().openUpload({ sparse: true });
    const failed = once(upload, "error");
    upload.write({ holeBytes });
    const message = `virStorageVolUpload: holeBytes must be a bigint from 0 to 2^63-1, not ${said}`;
    expect(await failed).toMatchObject([{ code: ErrorCode.INVALID_ARG, message }]);
  });

  it("a secret's value is not said", async () => {
    const error = await secret()
      .setValue(new Uint8Array(100_000).fill(65))
      .catch((thrown: unknown) => thrown);
    const message = "value cannot be sent: Opaque data of 100000 bytes is over the limit of 65536";
    expect(error).toMatchObject({ code: ErrorCode.INVALID_ARG, message: `virSecretSetValue: ${message}` });
  });
});
