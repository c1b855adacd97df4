import { readEncryption } from "./encryption.js";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { readPermissions } from "./permissions.js";
import type { PoolType } from "./pool.js";
import { volumeFormats } from "./pool-types.js";
import { readTimestamps } from "./timestamps.js";
import { parseSize, parseUnsigned, scaleSize } from "./units.js";
import {
  type SourceExtents,
  VOLUME_FEATURES,
  VOLUME_TYPES,
  type VolumeDocument,
  type VolumeFeature,
  type VolumeTarget,
  type VolumeType,
} from "./volume.js";
import { volumeTypeOf } from "./volume-types.js";
import { child, childAttribute, children, childText, descendant, type XmlElement } from "./xml/element.js";
import { parseDocument } from "./xml/parse.js";

export interface ReadVolumeOptions {
  /**
   * Whether `<capacity>` must be there. A volume that is created needs one unless it has a backing store to take it from
   * (`optional-with-backing`); one that is cloned takes it from its source (`optional`). A missing one reads as 0.
   */
  readonly capacity: "required" | "optional-with-backing" | "optional";
  /**
   * What the storage says, not the one who asks for a volume: type, key, path, physical size, timestamps, extents. `ignored`
   * (as if absent) is for documents that ask, `read` for documents that a daemon wrote.
   */
  readonly measured?: "ignored" | "read";
}

/**
 * Reads a volume document for a pool of that type.
 *
 * @throws DocumentError with libvirt's code, domain and text, for the first thing wrong in libvirt's order
 */
export function readVolume(xml: string, poolType: PoolType, options: ReadVolumeOptions): VolumeDocument {
  const root = parseDocument(xml, {
    kind: "storage_volume_definition",
    domain: DocumentErrorDomain.STORAGE,
    root: "volume",
  });
  const measured = options.measured === "read";
  const name = childText(root, "name") ?? fail(DocumentErrorCode.XML_ERROR, "missing volume name element");
  const saidType = readType(root);
  const backingStore = readBackingStore(root, poolType, measured);
  const capacityBytes = readCapacity(root, options.capacity, backingStore !== null);
  const allocationBytes = readSize(root, "allocation");
  const target = readTarget(root, poolType, measured);
  return {
    type: (measured ? saidType : null) ?? volumeTypeOf(poolType, target.format),
    name,
    key: measured ? childText(root, "key") : null,
    source: measured ? readExtents(root) : [],
    capacityBytes,
    allocationBytes: allocationBytes ?? capacityBytes,
    hasAllocation: allocationBytes !== null,
    physicalBytes: (measured ? readSize(root, "physical") : null) ?? 0n,
    target,
    backingStore,
  };
}

function readType(root: XmlElement): VolumeType | null {
  const name = root.attributes.get("type") ?? "";
  if (name === "") {
    return null;
  }
  return VOLUME_TYPES.find((type) => type === name) ?? unsupported(`unknown volume type '${name}'`);
}

/** Only a path makes a backing store; without one the element is as good as absent. */
function readBackingStore(root: XmlElement, poolType: PoolType, measured: boolean): VolumeTarget | null {
  const path = childText(root, "backingStore/path");
  if (path === null) {
    return null;
  }
  const timestamps = measured ? descendant(root, "backingStore/timestamps") : null;
  return {
    path,
    format: readFormat(root, "backingStore", poolType),
    permissions: readPermissions(descendant(root, "backingStore/permissions")),
    timestamps: timestamps === null ? null : readTimestamps(timestamps),
    encryption: null,
    compat: null,
    clusterSizeBytes: 0n,
    features: null,
    noCopyOnWrite: false,
  };
}

function readTarget(root: XmlElement, poolType: PoolType, measured: boolean): VolumeTarget {
  const format = readFormat(root, "target", poolType);
  const permissions = readPermissions(descendant(root, "target/permissions"));
  const encryption = descendant(root, "target/encryption");
  const timestamps = measured ? descendant(root, "target/timestamps") : null;
  const features = descendant(root, "target/features");
  return {
    path: measured ? childText(root, "target/path") : null,
    format,
    permissions,
    timestamps: timestamps === null ? null : readTimestamps(timestamps),
    encryption: encryption === null ? null : readEncryption(encryption),
    // Features are a matter of version 3 of the format, which is compatible with QEMU 1.1.
    compat: readCompat(root) ?? (features === null ? null : "1.1"),
    noCopyOnWrite: descendant(root, "target/nocow") !== null,
    clusterSizeBytes: readClusterSize(root),
    features: features === null ? null : readFeatures(features),
  };
}

function readFormat(root: XmlElement, parent: "target" | "backingStore", poolType: PoolType): string | null {
  const formats = volumeFormats(poolType);
  if (formats === null) {
    return null;
  }
  const name = childAttribute(root, `${parent}/format`, "type") ?? formats.default;
  return formats.values.includes(name) ? name : unsupported(`unknown volume format type ${name}`);
}

function readCapacity(root: XmlElement, needed: ReadVolumeOptions["capacity"], hasBackingStore: boolean): bigint {
  const capacityBytes = readSize(root, "capacity");
  if (capacityBytes !== null) {
    return capacityBytes;
  }
  const optional = needed === "optional" || (needed === "optional-with-backing" && hasBackingStore);
  return optional ? 0n : fail(DocumentErrorCode.XML_ERROR, "missing capacity element");
}

/** Every size that is malformed is called a capacity. */
function readSize(root: XmlElement, name: string): bigint | null {
  const text = childText(root, name);
  return text === null ? null : parseSize(text, childAttribute(root, name, "unit"), "capacity");
}

function readCompat(root: XmlElement): string | null {
  const compat = childText(root, "target/compat");
  // What stands here becomes part of a command line: nothing but two numbers passes, as C's strtoul reads them.
  if (compat !== null && !isVersion(compat)) {
    fail(DocumentErrorCode.XML_ERROR, "forbidden characters in 'compat' attribute");
  }
  return compat;
}

function isVersion(text: string): boolean {
  const numbers = /^([^.]*)\.(.*)$/s.exec(text)?.slice(1) ?? [];
  return (
    numbers.length === 2 &&
    numbers.every((number) => (parseUnsigned(number.replace("-", "+")) ?? 2n ** 32n) < 2n ** 32n)
  );
}

function readClusterSize(root: XmlElement): bigint {
  const text = childText(root, "target/clusterSize");
  if (text === null) {
    return 0n;
  }
  const value = parseUnsigned(text);
  if (value === null) {
    const detail = `Invalid value '${text}' for element or attribute './target/clusterSize'`;
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.XML, detail);
  }
  return scaleSize(value, childAttribute(root, "target/clusterSize", "unit"));
}

/** In the order in which they are written, each once. */
function readFeatures(element: XmlElement): VolumeFeature[] {
  const names = element.children.flatMap((node) => (typeof node === "string" ? [] : [node.name]));
  const unknown = names.find((name) => !VOLUME_FEATURES.some((feature) => feature === name));
  if (unknown !== undefined) {
    return unsupported(`unsupported feature ${unknown}`);
  }
  return VOLUME_FEATURES.filter((feature) => names.includes(feature));
}

function readExtents(root: XmlElement): SourceExtents[] {
  const source = child(root, "source");
  return (source === null ? [] : children(source, "device")).map((device) => ({
    devicePath: device.attributes.get("path") ?? "",
    extents: children(device, "extent").map((extent) => ({
      startBytes: parseUnsigned(extent.attributes.get("start") ?? null) ?? 0n,
      endBytes: parseUnsigned(extent.attributes.get("end") ?? null) ?? 0n,
    })),
  }));
}

function fail(code: DocumentErrorCode, detail: string): never {
  throw new DocumentError(code, DocumentErrorDomain.STORAGE, detail);
}

function unsupported(detail: string): never {
  return fail(DocumentErrorCode.CONFIG_UNSUPPORTED, detail);
}
