import { writeAdapter } from "./adapter.js";
import { writePoolAuthentication } from "./authentication.js";
import type { PoolDevice, PoolSource, PoolType } from "./pool.js";
import { poolTypeFacts } from "./pool-types.js";
import type { XmlWriter } from "./xml/write.js";

/** Writes `<source>` with the parts that the pool type has, also where none is set. */
export function writeSource(writer: XmlWriter, source: PoolSource, type: PoolType): void {
  const parts = poolTypeFacts[type].source;
  writer.open("source");
  for (const { name, port } of parts.hosts ? source.hosts : []) {
    writer.leaf("host", { name, port: port === 0 ? null : port });
  }
  for (const device of parts.devices ? source.devices : []) {
    writeDevice(writer, device);
  }
  if (parts.directory && source.directory !== null) {
    writer.leaf("dir", { path: source.directory });
  }
  if (parts.adapter && source.adapter !== null) {
    writeAdapter(writer, source.adapter);
  }
  if (parts.name && source.name !== null) {
    writer.leaf("name", {}, source.name);
  }
  if (parts.initiator && source.initiatorIqn !== null) {
    writer.open("initiator").leaf("iqn", { name: source.initiatorIqn }).close();
  }
  if (poolTypeFacts[type].formats !== null && source.format !== null) {
    writer.leaf("format", { type: source.format });
  }
  if (source.authentication !== null) {
    writePoolAuthentication(writer, source.authentication);
  }
  if (source.protocolVersion !== null) {
    writer.leaf("protocol", { ver: source.protocolVersion });
  }
  if (source.vendor !== null) {
    writer.leaf("vendor", { name: source.vendor });
  }
  if (source.product !== null) {
    writer.leaf("product", { name: source.product });
  }
  writer.close();
}

function writeDevice(writer: XmlWriter, { path, partSeparator, freeExtents }: PoolDevice): void {
  const attributes = { path, part_separator: partSeparator === null ? null : partSeparator ? "yes" : "no" };
  if (freeExtents.length === 0) {
    writer.leaf("device", attributes);
    return;
  }
  writer.open("device", attributes);
  for (const { startBytes, endBytes } of freeExtents) {
    writer.leaf("freeExtent", { start: startBytes, end: endBytes });
  }
  writer.close();
}
