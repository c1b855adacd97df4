import type { SecretEvent } from "@cistern/client";
import { describe, expect, it } from "vitest";
import { connectedSide } from "./connected-side.js";
import { sides } from "./sides.js";

const UUIDS = ["5e7a1f00-0000-0000-0000-000000000001", "5e7a1f00-0000-0000-0000-000000000002"] as const;

const secretXml = (uuid: string, name: string, attributes = ""): string =>
  `<secret ${attributes}><uuid>${uuid}</uuid><usage type='ceph'><name>${name}</name></usage></secret>`;

describe.each(sides)("secrets at $name", (daemon) => {
  const side = connectedSide(daemon, async (connection) => {
    for (const secret of await connection.listSecrets()) await secret.undefine();
  });

  it("are defined, found by UUID and by what they are for, and forgotten", async () => {
    const { connection } = side;
    const defined = await connection.defineSecret(secretXml(UUIDS[0], "client.admin"));
    expect([defined.uuid, defined.usage, defined.usageId]).toEqual([UUIDS[0], "ceph", "client.admin"]);
    expect((await connection.lookupSecretByUuid(UUIDS[0])).usageId).toBe("client.admin");
    expect((await connection.lookupSecretByUsage("ceph", "client.admin")).uuid).toBe(UUIDS[0]);
    expect(await defined.xml()).toContain("<name>client.admin</name>");

    await defined.undefine();
    expect(await connection.listSecrets()).toEqual([]);
    await expect(defined.xml()).rejects.toMatchObject({ code: 66 });
    await expect(connection.lookupSecretByUuid(UUIDS[0])).rejects.toMatchObject({ code: 66 });
    await expect(connection.lookupSecretByUsage("iscsi", "client.admin")).rejects.toMatchObject({ code: 66 });
  });

  it("have a value of any bytes, which a private one gives to nobody", async () => {
    const { connection } = side;
    const secret = await connection.defineSecret(secretXml(UUIDS[0], "key"));
    await expect(secret.value()).rejects.toMatchObject({ code: 66 });
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await secret.setValue(bytes);
    expect(Buffer.from(await secret.value()).equals(bytes)).toBe(true);

    const hidden = await connection.defineSecret(secretXml(UUIDS[1], "hidden", "private='yes'"));
    await hidden.setValue(bytes);
    await expect(hidden.value()).rejects.toMatchObject({ code: 65 });
  });

  it("are listed by what they are", async () => {
    const { connection } = side;
    await connection.defineSecret(secretXml(UUIDS[1], "b", "ephemeral='yes'"));
    await connection.defineSecret(secretXml(UUIDS[0], "a", "private='yes'"));
    const names = async (filter = {}) => (await connection.listSecrets(filter)).map(({ usageId }) => usageId);
    expect(await names()).toEqual(["a", "b"]);
    expect(await names({ ephemeral: true })).toEqual(["b"]);
    expect(await names({ ephemeral: false })).toEqual(["a"]);
    expect(await names({ private: true })).toEqual(["a"]);
    expect(await names({ private: false, ephemeral: false })).toEqual([]);
  });

  it("are checked against the schema on request", async () => {
    const { connection } = side;
    const odd = secretXml(UUIDS[0], "odd").replace("</uuid>", "</uuid><unknown/>");
    await expect(connection.defineSecret(odd, { validate: true })).rejects.toMatchObject({ code: 92 });
    expect((await connection.defineSecret(odd)).usageId).toBe("odd");
  });

  it("tell what happens to all of them, or to one", async () => {
    const { connection } = side;
    const first = await connection.defineSecret(secretXml(UUIDS[0], "first"));
    const all = await connection.secretEvents();
    const one = await connection.secretEvents(first);
    const second = await connection.defineSecret(secretXml(UUIDS[1], "second"));
    await first.setValue(Buffer.from("value"));
    await second.undefine();
    await first.undefine();

    const told = async (events: AsyncIterable<SecretEvent>): Promise<string[]> => {
      const seen: string[] = [];
      for await (const { kind, secret } of events) {
        seen.push(`${secret.usageID} ${kind}`);
        if (kind === "undefined" && secret.usageID === "first") break;
      }
      return seen;
    };
    expect(await told(all)).toEqual(["second defined", "first valueChanged", "second undefined", "first undefined"]);
    expect(await told(one)).toEqual(["first valueChanged", "first undefined"]);
  });
});
