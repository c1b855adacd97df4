import { writePermissions } from "./permissions.js";
import type { PoolDocument } from "./pool.js";
import { FS_NAMESPACE, RBD_NAMESPACE } from "./pool-namespaces.js";
import { writeSource } from "./pool-source-writer.js";
import { poolTypeFacts } from "./pool-types.js";
import { XmlWriter } from "./xml/write.js";

/** Writes a pool document in libvirt's canonical form. */
export function writePool(pool: PoolDocument): string {
  const writer = new XmlWriter();
  writePoolElement(writer, pool);
  return writer.toString();
}

/** Writes the `<pool>` element, alone or within a state file. */
export function writePoolElement(writer: XmlWriter, pool: PoolDocument): void {
  const hasMountOptions = pool.mountOptions.length > 0;
  const hasRbdOptions = pool.rbdOptions.length > 0;
  writer
    .open("pool", {
      type: pool.type,
      "xmlns:fs": hasMountOptions ? FS_NAMESPACE : null,
      "xmlns:rbd": hasRbdOptions ? RBD_NAMESPACE : null,
    })
    .leaf("name", {}, pool.name)
    .leaf("uuid", {}, pool.uuid)
    .leaf("capacity", { unit: "bytes" }, pool.capacityBytes)
    .leaf("allocation", { unit: "bytes" }, pool.allocationBytes)
    .leaf("available", { unit: "bytes" }, pool.availableBytes);
  if (pool.copyOnWrite !== null) {
    writer
      .open("features")
      .leaf("cow", { state: pool.copyOnWrite ? "yes" : "no" })
      .close();
  }
  writeSource(writer, pool.source, pool.type);
  if (poolTypeFacts[pool.type].target !== "none") {
    writer.open("target");
    if (pool.target.path !== null) {
      writer.leaf("path", {}, pool.target.path);
    }
    writePermissions(writer, pool.target.permissions);
    writer.close();
  }
  if (pool.refreshVolumeAllocation !== null) {
    writer.open("refresh").leaf("volume", { allocation: pool.refreshVolumeAllocation }).close();
  }
  if (hasMountOptions) {
    writer.open("fs:mount_opts");
    for (const name of pool.mountOptions) {
      writer.leaf("fs:option", { name });
    }
    writer.close();
  }
  if (hasRbdOptions) {
    writer.open("rbd:config_opts");
    for (const { name, value } of pool.rbdOptions) {
      writer.leaf("rbd:option", { name, value });
    }
    writer.close();
  }
  writer.close();
}
