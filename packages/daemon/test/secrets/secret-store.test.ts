import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSecret, type SecretDocument, validateSecret } from "@cistern/documents";
import { LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Hosts } from "../../dist/host/index.js";
import { type SecretEvent, SecretFiles, SecretStore } from "../../dist/secrets/index.js";

const A = "5e7a1f00-aaaa-bbbb-cccc-444455556666";
const B = "5e7a1f00-aaaa-bbbb-cccc-444455556667";
const CLIENT = { elevated: false };
const DAEMON = { elevated: true };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);

const reader = {
  async secret(xml: string, validate: boolean): Promise<SecretDocument> {
    if (validate) validateSecret(xml);
    return readSecret(xml);
  },
};
const ceph = (uuid: string, name: string, attributes = "") =>
  `<secret ${attributes}><uuid>${uuid}</uuid><usage type='ceph'><name>${name}</name></usage></secret>`;

let path = "";
let hosts: Hosts;
const stores: SecretStore[] = [];
let skipped: [string, string][] = [];

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "cistern-secrets-"));
  hosts = new Hosts();
  skipped = [];
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await hosts.close();
  await rm(path, { recursive: true, force: true });
});

async function openStore(): Promise<SecretStore> {
  const report = (file: string, reason: unknown) => void skipped.push([file, LibvirtError.from(reason).message]);
  const store = new SecretStore(new SecretFiles(await hosts.local.openDirectory(path), reader, report), reader, report);
  stores.push(store);
  await store.reload();
  return store;
}
const files = async () => (await readdir(path)).sort();
const onDisk = (name: string) => readFile(join(path, name), "utf8");
/** Code, domain and text, as a client sees them. */
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "no refusal",
    (error: unknown) => {
      const { code, domain, message } = LibvirtError.from(error);
      return `${code}/${domain} ${message}`;
    },
  );

describe("a secret on disk", () => {
  it("has libvirt's form: the document without comment, the value in Base64 without line end, both private", async () => {
    const store = await openStore();
    await store.define(
      `<secret><uuid>${A}</uuid><description>a &lt; b</description><usage type='ceph'><name>vec</name></usage></secret>`,
      0,
    );
    await store.setValue(A, bytes("topsecret"), 0);
    expect(await files()).toEqual([`${A}.base64`, `${A}.xml`]);
    expect(await onDisk(`${A}.xml`)).toBe(`<secret ephemeral='no' private='no'>
  <uuid>${A}</uuid>
  <description>a &lt; b</description>
  <usage type='ceph'>
    <name>vec</name>
  </usage>
</secret>
`);
    expect(await onDisk(`${A}.base64`)).toBe("dG9wc2VjcmV0");
    for (const name of await files()) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
  });

  it("is there again after a restart, with any bytes as its value", async () => {
    const value = Uint8Array.from({ length: 65_536 }, (_, index) => index & 0xff);
    const first = await openStore();
    await first.define(ceph(A, "x", "private='yes'"), 0);
    await first.setValue(A, value, 0);
    const second = await openStore();
    expect(await second.list(0)).toEqual([{ uuid: A, usageType: 2, usageID: "x" }]);
    expect(await second.getValue(A, 0, DAEMON)).toEqual(value);
    expect(await second.xmlDescription(A, 0)).toContain("private='yes'");
    expect(skipped).toEqual([]);
  });

  it("is gone after undefine, value and all", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x"), 0);
    await store.setValue(A, bytes("v"), 0);
    await store.undefine(A);
    expect(await files()).toEqual([]);
    expect(await store.count()).toBe(0);
    expect(await refusal(store.undefine(A))).toBe(`66/30 Secret not found: no secret with matching uuid '${A}'`);
  });

  it("that is ephemeral never gets there, and leaves when it becomes so", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x", "ephemeral='yes'"), 0);
    await store.setValue(A, bytes("v"), 0);
    expect(await files()).toEqual([]);
    await store.define(ceph(A, "x"), 0);
    expect(await files()).toEqual([`${A}.base64`, `${A}.xml`]);
    expect(text(await store.getValue(A, 0, CLIENT))).toBe("v");
    await store.define(ceph(A, "x", "ephemeral='yes'"), 0);
    expect(await files()).toEqual([]);
    expect(text(await store.getValue(A, 0, CLIENT))).toBe("v");
  });

  it("that cannot be read is left aside, with the reason, and the others load", async () => {
    const good = { uuid: B, usageType: 2, usageID: "y" };
    await writeFile(join(path, `${B}.xml`), ceph(B, "y"));
    await writeFile(join(path, `${B}.base64`), "YWI=\n");
    await writeFile(join(path, "aaa.xml"), ceph(A, "x"));
    await writeFile(join(path, `${A}.xml`), "<secret>");
    await writeFile(
      join(path, "5e7a1f00-aaaa-bbbb-cccc-444455556668.xml"),
      ceph("5e7a1f00-aaaa-bbbb-cccc-444455556668", "y"),
    );
    await writeFile(join(path, "notes.txt"), "no secret");
    const store = await openStore();
    expect(await store.list(0)).toEqual([good]);
    expect(text(await store.getValue(B, 0, CLIENT))).toBe("ab");
    expect(skipped).toEqual([
      [`${path}/${A}.xml`, expect.stringContaining("(definition_of_secret):1: Premature end of data")],
      [`${path}/aaa.xml`, "internal error: <uuid> does not match secret file name 'aaa.xml'"],
      [
        "5e7a1f00-aaaa-bbbb-cccc-444455556668.xml",
        `internal error: a secret with UUID ${B} already defined for use with y`,
      ],
    ]);
    expect(await files()).toHaveLength(6);
  });

  it("whose value is no Base64 has no value rather than a wrong one", async () => {
    await writeFile(join(path, `${A}.xml`), ceph(A, "x"));
    await writeFile(join(path, `${A}.base64`), "!!notbase64");
    const store = await openStore();
    expect(await refusal(store.getValue(A, 0, CLIENT))).toBe(
      `66/30 Secret not found: secret '${A}' does not have a value`,
    );
    expect(skipped).toEqual([[`${path}/${A}.base64`, expect.stringContaining("not Base64")]]);
  });

  it("changes in memory only when the disk took the change", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x"), 0);
    await store.setValue(A, bytes("old"), 0);
    // Root may write anywhere, but nobody can put a file in a directory's place.
    await rm(join(path, `${A}.base64`));
    await mkdir(join(path, `${A}.base64`));
    const failure = await store.setValue(A, bytes("new"), 0).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 38, domain: 30, int1: 21 });
    expect((failure as Error).message).toContain(`cannot write '${path}/${A}.base64'`);
    expect(text(await store.getValue(A, 0, CLIENT))).toBe("old");
  });

  it("that was written by hand meanwhile is there after a reload, and known ones keep their values", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x", "ephemeral='yes'"), 0);
    await store.setValue(A, bytes("v"), 0);
    await writeFile(join(path, `${B}.xml`), ceph(B, "y"));
    await store.reload();
    expect((await store.list(0)).map(({ uuid }) => uuid)).toEqual([A, B]);
    expect(text(await store.getValue(A, 0, CLIENT))).toBe("v");
  });
});

describe("defining a secret", () => {
  it("gives one without UUID a new one", async () => {
    const store = await openStore();
    const first = await store.define("<secret/>", 0);
    const second = await store.define("<secret><usage type='none'/></secret>", 0);
    expect(first).toEqual({ uuid: expect.stringMatching(/^[0-9a-f-]{36}$/), usageType: 0, usageID: "" });
    expect(second.uuid).not.toBe(first.uuid);
    expect(await store.count()).toBe(2);
  });

  it("again keeps its value", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x"), 0);
    await store.setValue(A, bytes("v"), 0);
    await store.define(ceph(A, "x", "private='yes'"), 0);
    expect(text(await store.getValue(A, 0, DAEMON))).toBe("v");
  });

  // Each as a real libvirtd 9.0 answered it.
  it.each([
    [
      "the use of a known UUID changes",
      ceph(A, "other"),
      0,
      `1/30 internal error: a secret with UUID ${A} is already defined for use with x`,
    ],
    [
      "a known UUID loses its use",
      `<secret><uuid>${A}</uuid></secret>`,
      0,
      `1/30 internal error: a secret with UUID ${A} is already defined for use with x`,
    ],
    [
      "one for no use gets one",
      ceph(B, "y"),
      0,
      `1/30 internal error: a secret with UUID ${B} is already defined for use with (null)`,
    ],
    [
      "another UUID wants the same use",
      ceph("5e7a1f00-aaaa-bbbb-cccc-444455556668", "x"),
      0,
      `1/30 internal error: a secret with UUID ${A} already defined for use with x`,
    ],
    [
      "one without UUID wants the same use",
      "<secret><usage type='ceph'><name>x</name></usage></secret>",
      0,
      `1/30 internal error: a secret with UUID ${A} already defined for use with x`,
    ],
    [
      "a private one would be read by all",
      ceph(A, "x", "private='no'"),
      0,
      "1/30 internal error: cannot change private flag on existing secret",
    ],
    ["flags are unknown", "<secret/>", 2, "8/30 unsupported flags (0x2) in function secretDefineXML"],
    ["the document is none", "<pool/>", 0, "27/5 XML error: expecting root element of 'secret', not 'pool'"],
    [
      "it does not hold to the schema",
      "<secret><bogus/></secret>",
      1,
      "92/5 XML document failed to validate against schema",
    ],
    [
      "the document has no end",
      "<secret ephemeral='no' private='no'",
      0,
      "35/30 (definition_of_secret):1: attributes construct error",
    ],
  ])("is refused when %s", async (_, xml, flags, wanted) => {
    const store = await openStore();
    await store.define(ceph(A, "x", "private='yes'"), 0);
    await store.define(`<secret><uuid>${B}</uuid></secret>`, 0);
    const before = await files();
    expect((await refusal(store.define(xml, flags))).slice(0, wanted.length)).toBe(wanted);
    expect(await files()).toEqual(before);
    expect(await store.count()).toBe(2);
  });

  it("for another kind of use with the same name is taken, as libvirt takes it", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x"), 0);
    await store.define(`<secret><uuid>${A}</uuid><usage type='tls'><name>x</name></usage></secret>`, 0);
    expect(await store.lookupByUsage(4, "x")).toEqual({ uuid: A, usageType: 4, usageID: "x" });
  });

  it("many at once for one use gives one", async () => {
    const store = await openStore();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        refusal(store.define("<secret><usage type='tls'><name>n</name></usage></secret>", 0)),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "no refusal")).toHaveLength(1);
    expect(await files()).toHaveLength(1);
  });
});

describe("a secret's value", () => {
  it.each([
    [
      "read, private, by a client",
      (s: SecretStore) => s.getValue(A, 0, CLIENT),
      "65/30 Invalid secret: secret is private",
    ],
    [
      "read, private and unset, by a client",
      (s: SecretStore) => s.getValue(B, 0, CLIENT),
      "66/30 Secret not found: secret",
    ],
    [
      "read with flags",
      (s: SecretStore) => s.getValue(A, 4, CLIENT),
      "8/30 unsupported flags (0x4) in function secretGetValue",
    ],
    [
      "set with flags",
      (s: SecretStore) => s.setValue(A, bytes("v"), 1),
      "8/30 unsupported flags (0x1) in function secretSetValue",
    ],
    [
      "set to nothing",
      (s: SecretStore) => s.setValue(A, bytes(""), 0),
      "8/30 value in virSecretSetValue must not be NULL",
    ],
    [
      "described with flags",
      (s: SecretStore) => s.xmlDescription(A, 1),
      "8/30 unsupported flags (0x1) in function secretGetXMLDesc",
    ],
    [
      "listed with flags",
      (s: SecretStore) => s.list(16),
      "8/30 unsupported flags (0x10) in function secretConnectListAllSecrets",
    ],
    [
      "looked up by a use nobody has",
      (s: SecretStore) => s.lookupByUsage(1, "zz"),
      "66/30 Secret not found: no secret with matching usage 'zz'",
    ],
    [
      "looked up by no use",
      (s: SecretStore) => s.lookupByUsage(0, ""),
      "66/30 Secret not found: no secret with matching usage ''",
    ],
    [
      "looked up by a use there is not",
      (s: SecretStore) => s.lookupByUsage(99, "zz"),
      "66/30 Secret not found: no secret with matching usage 'zz'",
    ],
  ])("is refused when %s", async (_, ask, wanted) => {
    const store = await openStore();
    await store.define(ceph(A, "x", "private='yes'"), 0);
    await store.setValue(A, bytes("v"), 0);
    await store.define(`<secret><uuid>${B}</uuid></secret>`, 0);
    expect((await refusal(ask(store))).slice(0, wanted.length)).toBe(wanted);
  });

  it("is given, private, to another daemon of this host and to this daemon's own pools", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x", "private='yes'"), 0);
    expect(await refusal(store.passphrase({ usage: "x" }, "ceph"))).toBe(
      `66/30 Secret not found: secret '${A}' does not have a value`,
    );
    await store.setValue(A, bytes("v"), 0);
    expect(text(await store.getValue(A, 0, DAEMON))).toBe("v");
    expect(text(await store.passphrase({ uuid: A }, "volume"))).toBe("v");
    expect(text(await store.passphrase({ usage: "x" }, "ceph"))).toBe("v");
    expect(await refusal(store.passphrase({ usage: "x" }, "volume"))).toBe(
      "66/30 Secret not found: no secret with matching usage 'x'",
    );
    expect(await refusal(store.passphrase({ uuid: B }, "volume"))).toBe(
      `66/30 Secret not found: no secret with matching uuid '${B}'`,
    );
  });

  it("is a copy: neither who set it nor who got it can change it", async () => {
    const store = await openStore();
    await store.define(ceph(A, "x"), 0);
    const given = bytes("v");
    const setting = store.setValue(A, given, 0);
    given.fill(0);
    await setting;
    (await store.getValue(A, 0, CLIENT)).fill(0);
    expect(text(await store.getValue(A, 0, CLIENT))).toBe("v");
  });
});

describe("listing secrets", () => {
  it.each([
    [0, ["0", "1", "2", "3"]],
    [1, ["2", "3"]],
    [2, ["0", "1"]],
    [3, ["0", "1", "2", "3"]],
    [4, ["1", "3"]],
    [8, ["0", "2"]],
    [1 + 8, ["2"]],
    [2 + 4, ["1"]],
    [15, ["0", "1", "2", "3"]],
  ])("with flags %i", async (flags, wanted) => {
    const store = await openStore();
    for (let i = 0; i < 4; i++) {
      const attributes = `ephemeral='${i & 2 ? "yes" : "no"}' private='${i & 1 ? "yes" : "no"}'`;
      await store.define(ceph(`5e7a1f00-aaaa-bbbb-cccc-44445555666${i}`, `n${i}`, attributes), 0);
    }
    expect((await store.list(flags)).map(({ uuid }) => uuid.slice(-1))).toEqual(wanted);
    expect(await store.count()).toBe(4);
  });
});

describe("events", () => {
  it("tell what happened, and nothing when nothing did", async () => {
    const store = await openStore();
    const heard: SecretEvent[] = [];
    const stop = store.listen((event) => heard.push(event));
    const secret = { uuid: A, usageType: 2, usageID: "x" };
    await store.define(ceph(A, "x"), 0);
    await store.define(ceph(A, "x"), 0);
    await refusal(store.define(ceph(A, "y"), 0));
    await store.setValue(A, bytes("v"), 0);
    await store.undefine(A);
    await refusal(store.undefine(A));
    stop();
    await store.define(ceph(A, "x"), 0);
    expect(heard).toEqual([
      { kind: "defined", secret },
      { kind: "defined", secret },
      { kind: "valueChanged", secret },
      { kind: "undefined", secret },
    ]);
  });
});
