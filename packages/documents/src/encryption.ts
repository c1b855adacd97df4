import { readSecretLookup } from "./authentication.js";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { parseUnsigned } from "./units.js";
import type { EncryptionSecret, VolumeEncryption } from "./volume.js";
import { attribute, child, children, type XmlElement } from "./xml/element.js";
import { enumProperty } from "./xml/properties.js";
import type { XmlWriter } from "./xml/write.js";

const FORMATS = ["default", "qcow", "luks", "luks2"] as const;
const ENGINES = ["qemu", "librbd"] as const;
const LARGEST_UINT32 = 2n ** 32n - 1n;

/**
 * Reads `<encryption format='luks'><secret type='passphrase' uuid='…'/>[<cipher …/>[<ivgen …/>]]</encryption>`. Cipher and
 * initialisation vectors are a matter of LUKS; with other formats they are passed over.
 *
 * @throws DocumentError 27/18, 67/18, 27/5 for cipher size and engine, 27/0 for the secret's uuid and usage
 */
export function readEncryption(element: XmlElement): VolumeEncryption {
  const format = readFormat(attribute(element, "format") || null);
  const engine = enumProperty(element, "engine", ENGINES);
  const secrets = children(element, "secret").map(readSecretReference);
  if (!format.startsWith("luks")) {
    return { format, engine, secrets, cipher: null, ivgen: null };
  }
  const cipher = readCipher(child(element, "cipher"));
  return { format, engine, secrets, cipher, ivgen: readIvgen(child(element, "ivgen"), cipher !== null) };
}

export function writeEncryption(writer: XmlWriter, encryption: VolumeEncryption): void {
  const { format, engine, secrets, cipher, ivgen } = encryption;
  writer.open("encryption", { format, engine });
  for (const { type, lookup } of secrets) {
    writer.leaf("secret", { type, ...lookup });
  }
  if (format.startsWith("luks") && cipher !== null) {
    writer.leaf("cipher", { name: cipher.name, size: cipher.sizeBits, mode: cipher.mode, hash: cipher.hash });
    if (ivgen !== null) {
      writer.leaf("ivgen", { name: ivgen.name, hash: ivgen.hash });
    }
  }
  writer.close();
}

function readFormat(name: string | null): VolumeEncryption["format"] {
  if (name === null) {
    throw malformed("unknown volume encryption format");
  }
  return FORMATS.find((format) => format === name) ?? unsupported(`unknown volume encryption format type ${name}`);
}

function readSecretReference(element: XmlElement): EncryptionSecret {
  const type = attribute(element, "type") || null;
  if (type === null) {
    throw malformed("unknown volume encryption secret type");
  }
  if (type !== "passphrase") {
    return unsupported(`unknown volume encryption secret type ${type}`);
  }
  return { type, lookup: readSecretLookup(element) };
}

function readCipher(element: XmlElement | null): VolumeEncryption["cipher"] {
  if (element === null) {
    return null;
  }
  const name = attribute(element, "name");
  if (name === null) {
    throw malformed("cipher info missing 'name' attribute");
  }
  const size = attribute(element, "size");
  if (size === null) {
    throw invalidXml("Missing required attribute 'size' in element 'cipher'");
  }
  const sizeBits = parseUnsigned(size);
  if (sizeBits === null || sizeBits > LARGEST_UINT32) {
    throw invalidXml(
      `Invalid value for attribute 'size' in element 'cipher': '${size}'. Expected non-negative integer value`,
    );
  }
  return { name, sizeBits: Number(sizeBits), mode: attribute(element, "mode"), hash: attribute(element, "hash") };
}

function readIvgen(element: XmlElement | null, hasCipher: boolean): VolumeEncryption["ivgen"] {
  if (element === null) {
    return null;
  }
  if (!hasCipher) {
    throw malformed("ivgen element found, but cipher is missing");
  }
  const name = attribute(element, "name");
  if (name === null) {
    throw malformed("missing ivgen info name string");
  }
  return { name, hash: attribute(element, "hash") };
}

function malformed(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, detail);
}

function invalidXml(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.XML, detail);
}

function unsupported(detail: string): never {
  throw new DocumentError(DocumentErrorCode.CONFIG_UNSUPPORTED, DocumentErrorDomain.STORAGE, detail);
}
