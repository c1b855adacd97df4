import type { VolumeEncryption, VolumeFeature, VolumeTarget } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { escapeCommas } from "../host/command-line.js";

/** What libvirt asks of qemu-img for qcow2 when the document says nothing: the version every qemu reads. */
export const DEFAULT_COMPAT = "0.10";

export interface ImageOptions {
  /** qemu's name: "luks" for encrypted raw content. */
  readonly format: string;
  /** Of the backing file, null: none. */
  readonly backingFormat: string | null;
  readonly encryption: { readonly passphraseId: string; readonly details: VolumeEncryption } | null;
  readonly preallocation: "metadata" | "falloc" | null;
  readonly target: Pick<VolumeTarget, "noCopyOnWrite" | "compat" | "clusterSizeBytes" | "features">;
}

/** The value of -o, options in libvirt's order; null: none. Throws 67 for features that the version cannot have. */
export function imageOptions(image: ImageOptions): string | null {
  const { format, target } = image;
  const options: string[] = [];
  if (image.backingFormat !== null) options.push(`backing_fmt=${image.backingFormat}`);
  if (image.encryption !== null) options.push(...keyOptions(format, image.encryption));
  if (image.preallocation !== null) options.push(`preallocation=${image.preallocation}`);
  if (target.noCopyOnWrite) options.push("nocow=on");
  const compat = target.compat ?? (format === "qcow2" ? DEFAULT_COMPAT : null);
  // A compat level is kept in the document of a raw volume, but raw knows no options.
  if (compat !== null && format === "qcow2") options.push(`compat=${compat}`);
  if (target.clusterSizeBytes > 0n) options.push(`cluster_size=${target.clusterSizeBytes}`);
  for (const feature of target.features ?? []) {
    if (compat === DEFAULT_COMPAT) throw featureNeedsNewerVersion(feature);
    options.push(FEATURE_OPTIONS[feature]);
  }
  return options.length === 0 ? null : options.join(",");
}

const FEATURE_OPTIONS: { readonly [Feature in VolumeFeature]: string } = {
  lazy_refcounts: "lazy_refcounts",
  extended_l2: "extended_l2=on",
};

function featureNeedsNewerVersion(feature: VolumeFeature): LibvirtError {
  const shown = feature === "extended_l2" ? "'extended_l2'" : feature;
  const text = `${shown} not supported with compat level ${DEFAULT_COMPAT}`;
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}

/** `encrypt.format=luks,encrypt.key-secret=ID,encrypt.cipher-alg=aes-256,…`; without the prefix for plain LUKS. */
function keyOptions(format: string, { passphraseId, details }: NonNullable<ImageOptions["encryption"]>): string[] {
  const prefix = format === "qcow2" ? "encrypt." : "";
  const options: string[] = [];
  const add = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined) options.push(`${prefix}${name}=${escapeCommas(value)}`);
  };
  if (format === "qcow2") add("format", "luks");
  add("key-secret", passphraseId);
  const { cipher, ivgen } = details;
  if (cipher === null) return options;
  add("cipher-alg", `${cipher.name}-${cipher.sizeBits}`);
  add("cipher-mode", cipher.mode);
  add("hash-alg", cipher.hash);
  add("ivgen-alg", ivgen?.name);
  add("ivgen-hash-alg", ivgen?.hash);
  return options;
}
