import type { VolumeFeature } from "@cistern/documents";

/** The formats that are recognised by content. bochs, cloop, dmg, fat and vhd are known by name only. */
export const PROBED_FORMATS = ["iso", "vpc", "vdi", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk", "raw"] as const;
export type ProbedFormat = (typeof PROBED_FORMATS)[number];

/** The formats of which libvirt has a name; a volume document can show no other. */
const NAMED_FORMATS: ReadonlySet<string> = new Set(
  "raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk".split(" "),
);

export function isNamedFormat(format: string): boolean {
  return NAMED_FORMATS.has(format);
}

export interface ImageBacking {
  /** As it stands in the image. */
  readonly string: string;
  /** As the image declares it, null where it does not: then the backing file itself has to be looked at. */
  readonly format: string | null;
}

/** What an image says about itself. */
export interface ImageFacts {
  readonly format: ProbedFormat;
  /** What a guest sees; null: the format does not say, the file's own size counts. */
  readonly capacityBytes: bigint | null;
  readonly backing: ImageBacking | null;
  /** What the guest wrote is in another file, which a volume document cannot say. Its name as it stands in the image; null: it has none. */
  readonly dataFile: { readonly name: string | null } | null;
  readonly encryption: "luks" | "qcow" | null;
  /** Of qcow2 version 3. */
  readonly compat: "1.1" | null;
  /** null: the format has none to speak of (also qcow2 version 2). */
  readonly features: readonly VolumeFeature[] | null;
  /** 0: not said. */
  readonly clusterSizeBytes: bigint;
  /** Of LUKS: where the payload begins; the guest's disk is shorter than the file by it. */
  readonly payloadOffsetBytes: bigint;
}

/** Raw content: nothing said. */
export const RAW_FACTS: ImageFacts = {
  format: "raw",
  capacityBytes: null,
  backing: null,
  dataFile: null,
  encryption: null,
  compat: null,
  features: null,
  clusterSizeBytes: 0n,
  payloadOffsetBytes: 0n,
};
