import type { EncryptionSecret, VolumeDocument, VolumeEncryption } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/*
 * What libvirt refuses before it calls qemu-img. The order in which a creation asks: singleSecret (and the secret
 * itself), checkFormat, checkBacking, checkEncryption, then the options themselves.
 */

/** libvirt's numbers of encryption formats, as they stand in a message. */
const ENCRYPTION_FORMATS: readonly VolumeEncryption["format"][] = ["default", "qcow", "luks", "luks2"];

const unsupportedConfiguration = (text: string): LibvirtError =>
  LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);

const malformed = (text: string): LibvirtError => LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, text);

/** The format as qemu-img shall write or read it: a block device and an ISO image hold raw bytes. */
export function imageFormat(volume: VolumeDocument): string {
  const { format } = volume.target;
  return volume.type === "block" || format === null || format === "iso" ? "raw" : format;
}

/** Whether what a guest sees of the volume is what lies in it, byte by byte. */
export function isPlainRaw(volume: VolumeDocument): boolean {
  return imageFormat(volume) === "raw" && volume.target.encryption === null;
}

export function singleSecret(encryption: VolumeEncryption): EncryptionSecret {
  const [secret, ...others] = encryption.secrets;
  if (secret === undefined || others.length > 0) {
    const text = "A single <secret type='passphrase'...> element is expected in encryption description";
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
  }
  return secret;
}

export function checkFormat(volume: VolumeDocument, preallocates: boolean): void {
  if (imageFormat(volume) === "qcow2") return;
  if (preallocates) throw unsupportedConfiguration("metadata preallocation only available with qcow2");
  if (volume.target.compat !== null) {
    throw unsupportedConfiguration("compatibility option only available with qcow2");
  }
  if (volume.target.features !== null) throw unsupportedConfiguration("format features only available with qcow2");
}

/** `source`: the volume to clone, or null. One with a backing store lets its clone have no other. */
export function checkBacking(volume: VolumeDocument, source: VolumeDocument | null, preallocates: boolean): void {
  if (volume.backingStore === null) return;
  if (preallocates) throw unsupportedConfiguration("metadata preallocation conflicts with backing store");
  if (source === null || source.backingStore === null) return;
  if (source.backingStore.path !== volume.backingStore.path) {
    const text = "a different backing store cannot be specified.";
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
}

export function checkEncryption(volume: VolumeDocument): void {
  const { encryption } = volume.target;
  if (encryption === null) return;
  const format = imageFormat(volume);
  if (format !== "raw" && format !== "qcow2") {
    throw unsupportedConfiguration(`volume encryption unsupported with format ${format}`);
  }
  if (encryption.format === "luks") {
    if (encryption.secrets.length === 0) throw malformed("no secret provided for luks encryption");
    if (encryption.secrets.length > 1) throw malformed("too many secrets for luks encryption");
    return;
  }
  if (format === "qcow2" && encryption.format !== "luks2") {
    throw unsupportedConfiguration("creation of qcow2 encrypted image is not supported");
  }
  const number = ENCRYPTION_FORMATS.indexOf(encryption.format);
  throw unsupportedConfiguration(`unsupported volume encryption format ${number}`);
}
