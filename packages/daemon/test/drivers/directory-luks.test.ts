import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { VolumeDocument, VolumeEncryption } from "@cistern/documents";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { qemuImg } from "../images/shared.js";
import { pool, volume, volumeIn, type Wanted } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";

// Each step below takes two seconds or more: deriving a key from a passphrase is made to.

const MiB = 1_048_576n;
const SECRET = "2ec115d7-3a88-3ceb-bc12-0ac909a6fd87";
const PASSPHRASE = "open sesame";

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
  laboratory.secrets.set(SECRET, PASSPHRASE);
  mkdirSync(laboratory.path("images"));
});
afterEach(async () => {
  // Whatever happened, no passphrase lies about.
  expect(readdirSync(laboratory.path("private"))).toEqual([]);
  await laboratory.close();
});

const at = (name: string): string => laboratory.path("images", name);
const definition = () => pool("dir", laboratory.path("images"));
const make = async (name: string, wanted: Wanted, source?: VolumeDocument) =>
  create(directoryDriver, definition(), volume(name, wanted), await laboratory.context(), source && { source });

function luks(more: Partial<VolumeEncryption> = {}): VolumeEncryption {
  const secrets = [{ type: "passphrase", lookup: { uuid: SECRET } }] as const;
  return { format: "luks", engine: null, secrets, cipher: null, ivgen: null, ...more };
}

test("raw: the passphrase opens it, and the cipher is the one that was asked for", async () => {
  const cipher = { name: "aes", sizeBits: 128, mode: "cbc", hash: "sha256" };
  const made = await make("secret.img", { encryption: luks({ cipher, ivgen: { name: "plain64", hash: null } }) });
  expect(made).toMatchObject({ capacityBytes: MiB, target: { format: "raw", encryption: { format: "luks" } } });
  const options = `driver=luks,key-secret=k,file.filename=${at("secret.img")}`;
  const secret = ["--object", `secret,id=k,data=${PASSPHRASE}`];
  expect(JSON.parse(qemuImg("info", "--output=json", ...secret, "--image-opts", options))).toMatchObject({
    "virtual-size": Number(MiB),
    "format-specific": { data: { "cipher-alg": "aes-128", "cipher-mode": "cbc", "ivgen-alg": "plain64" } },
  });
});

test("qcow2, with a name that is none to qemu; resized by the secret that names its path", async () => {
  const name = "1, two.qcow2";
  const made = await make(name, { format: "qcow2", encryption: luks() });
  const info = () => JSON.parse(qemuImg("info", "--output=json", at(name)));
  expect(info()).toMatchObject({ format: "qcow2", encrypted: true, "virtual-size": Number(MiB) });
  // As a scan finds it: encrypted, by an unknown secret.
  const found = { ...made, target: { ...made.target, encryption: luks({ secrets: [] }) } };
  const resize = async () =>
    directoryDriver.volumes?.resize?.(definition(), found, 4n * MiB, 0, await laboratory.context());
  expect(await errorOf(resize())).toBe("27/18 XML error: no secret provided for luks encryption");
  laboratory.secrets.set(at(name), PASSPHRASE);
  await resize();
  expect(info()["virtual-size"]).toBe(Number(4n * MiB));
});

test.each([
  ["of usual names", "plain", "encrypted", "again"],
  ["of names with commas", "p,q", "a,b.img", "c,,d"],
])("a clone holds what a guest wrote, from plain to encrypted and back: %s", async (_, source, encrypted, again) => {
  const content = Buffer.alloc(Number(MiB), "guest ");
  writeFileSync(at(source), content);
  const made = await make(encrypted, { encryption: luks() }, volumeIn(laboratory.path("images"), source));
  expect(readdirSync(at("")).sort()).toEqual([source, encrypted].sort());
  expect(readFileSync(at(encrypted)).includes("guest guest")).toBe(false);
  await make(again, {}, made);
  expect(readFileSync(at(again)).equals(content)).toBe(true);
});
