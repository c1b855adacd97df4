import { describe, expect, it } from "vitest";
import { DocumentError } from "../dist/errors.js";
import { readSecret, type SECRET_USAGE_TYPES, writeSecret } from "../dist/secret.js";
import { isSharedPresent, readRecordings } from "./shared-material.js";

const UUID = "5e7a1f00-aaaa-bbbb-cccc-444455556666";

describe("a secret document", () => {
  it.each<[xml: string, codeAndDomain: string, detail: string]>([
    ["", "35/30", "(definition_of_secret):1: Document is empty\n(null)\n^"],
    ["<pool/>", "27/5", "expecting root element of 'secret', not 'pool'"],
    ["<secret ephemeral='zz'/>", "27/30", "invalid value of 'ephemeral'"],
    ["<secret private='zz'/>", "27/30", "invalid value of 'private'"],
    ["<secret><uuid>x</uuid></secret>", "1/30", "malformed uuid element"],
    ["<secret><usage/></secret>", "27/30", "unknown secret usage type"],
    ["<secret><usage type='zz'/></secret>", "67/30", "unknown secret usage type zz"],
    ["<secret><usage type='volume'/></secret>", "1/30", "volume usage specified, but volume path is missing"],
    ["<secret><usage type='ceph'/></secret>", "1/30", "Ceph usage specified, but name is missing"],
    [
      "<secret><usage type='iscsi'><name>a</name></usage></secret>",
      "1/30",
      "iSCSI usage specified, but target is missing",
    ],
    ["<secret><usage type='tls'><name/></usage></secret>", "1/30", "TLS usage specified, but name is missing"],
    ["<secret><usage type='vtpm'/></secret>", "1/30", "vTPM usage specified, but name is missing"],
    ["<secret ephemeral='z' private='z'><uuid>z</uuid><usage/></secret>", "27/30", "invalid value of 'ephemeral'"],
    ["<secret><uuid>z</uuid><usage/></secret>", "1/30", "malformed uuid element"],
  ])("%s is refused", (xml, codeAndDomain, detail) => {
    const error = (() => {
      try {
        return readSecret(xml);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(DocumentError);
    const { libvirtCode, libvirtDomain, message } = error as DocumentError;
    expect([`${libvirtCode}/${libvirtDomain}`, message]).toEqual([codeAndDomain, detail]);
  });

  it.each<[string, (typeof SECRET_USAGE_TYPES)[number], string]>([
    ["<volume>/srv/a</volume>", "volume", "/srv/a"],
    ["<name>client.admin secret</name>", "ceph", "client.admin secret"],
    ["<target>iqn.x</target>", "iscsi", "iqn.x"],
    ["<name>t</name>", "tls", "t"],
    ["<name>v</name>", "vtpm", "v"],
  ])("with usage %s is written as it was read", (idElement, type, id) => {
    const xml = `<secret ephemeral='yes' private='no'>
  <uuid>${UUID}</uuid>
  <description>&lt;passphrase&gt;</description>
  <usage type='${type}'>
    ${idElement}
  </usage>
</secret>
`;
    expect(readSecret(xml)).toEqual({
      uuid: UUID,
      ephemeral: true,
      private: false,
      description: "<passphrase>",
      usage: { type, id },
    });
    expect(writeSecret(readSecret(xml))).toBe(xml);
  });

  it("without anything is kept, shown, used for nothing and gets a UUID of its own", () => {
    const [one, two] = [readSecret("<secret/>"), readSecret("<secret/>")];
    expect(one).toMatchObject({ ephemeral: false, private: false, description: null, usage: { type: "none", id: "" } });
    expect(one.uuid).not.toBe(two.uuid);
    expect(writeSecret(one)).toBe(`<secret ephemeral='no' private='no'>\n  <uuid>${one.uuid}</uuid>\n</secret>\n`);
  });

  it.skipIf(!isSharedPresent)("goes through as in the recorded packets (needs ../shared)", () => {
    interface Packet {
      readonly decoded: { readonly type: string; readonly procname: string; readonly body?: { readonly xml?: string } };
    }
    const vectors = readRecordings<{ readonly vectors: readonly Packet[] }>("wire/vectors").find(
      ([name]) => name === "secrets",
    )?.[1].vectors;
    const xmlOf = (procedure: string, type: string) =>
      vectors?.find(({ decoded }) => decoded.procname === procedure && decoded.type === type)?.decoded.body?.xml ?? "";
    const defined = xmlOf("secret_define_xml", "CALL");
    expect(defined).toContain("<secret");
    expect(writeSecret(readSecret(defined))).toBe(xmlOf("secret_get_xml_desc", "REPLY"));
  });
});
