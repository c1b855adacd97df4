import { writeEncryption } from "./encryption.js";
import { writePermissions } from "./permissions.js";
import type { PoolType } from "./pool.js";
import { volumeFormats } from "./pool-types.js";
import { writeTimestamps } from "./timestamps.js";
import type { SourceExtents, VolumeDocument, VolumeTarget } from "./volume.js";
import { XmlWriter } from "./xml/write.js";

/** Writes a volume document as libvirt does for a pool of that type. */
export function writeVolume(volume: VolumeDocument, poolType: PoolType): string {
  const writer = new XmlWriter().open("volume", { type: volume.type }).leaf("name", {}, volume.name);
  if (volume.key !== null) {
    writer.leaf("key", {}, volume.key);
  }
  writeExtents(writer, volume.source);
  writer
    .leaf("capacity", { unit: "bytes" }, volume.capacityBytes)
    .leaf("allocation", { unit: "bytes" }, volume.allocationBytes);
  if (volume.physicalBytes > 0n) {
    writer.leaf("physical", { unit: "bytes" }, volume.physicalBytes);
  }
  const hasFormat = volumeFormats(poolType) !== null;
  writeTarget(writer, "target", volume.target, hasFormat);
  if (volume.backingStore !== null) {
    writeTarget(writer, "backingStore", volume.backingStore, hasFormat);
  }
  return writer.close().toString();
}

function writeExtents(writer: XmlWriter, source: readonly SourceExtents[]): void {
  const occupied = source.filter(({ extents }) => extents.length > 0);
  if (occupied.length === 0) {
    return;
  }
  writer.open("source");
  for (const { devicePath, extents } of occupied) {
    writer.open("device", { path: devicePath });
    for (const { startBytes, endBytes } of extents) {
      writer.leaf("extent", { start: startBytes, end: endBytes });
    }
    writer.close();
  }
  writer.close();
}

function writeTarget(writer: XmlWriter, name: string, target: VolumeTarget, hasFormat: boolean): void {
  writer.open(name);
  if (target.path !== null) {
    writer.leaf("path", {}, target.path);
  }
  if (hasFormat && target.format !== null) {
    writer.leaf("format", { type: target.format });
  }
  writePermissions(writer, target.permissions);
  if (target.timestamps !== null) {
    writeTimestamps(writer, target.timestamps);
  }
  if (target.encryption !== null) {
    writeEncryption(writer, target.encryption);
  }
  if (target.compat !== null) {
    writer.leaf("compat", {}, target.compat);
  }
  if (target.clusterSizeBytes > 0n) {
    writer.leaf("clusterSize", { unit: "B" }, target.clusterSizeBytes);
  }
  writeFeatures(writer, target);
  writer.close();
}

function writeFeatures(writer: XmlWriter, { features }: VolumeTarget): void {
  if (features === null) {
    return;
  }
  if (features.length === 0) {
    writer.leaf("features");
    return;
  }
  writer.open("features");
  for (const feature of features) {
    writer.leaf(feature);
  }
  writer.close();
}
