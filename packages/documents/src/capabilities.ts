import { POOL_TYPES, type PoolType } from "./pool.js";
import { FILE_FORMATS, poolTypeFacts, volumeFormats } from "./pool-types.js";
import { XmlWriter } from "./xml/write.js";

/** In which order libvirt's backends register, and so stand in a storage connection's capabilities. */
const REGISTRATION_ORDER: readonly PoolType[] = [
  "dir",
  "fs",
  "netfs",
  "logical",
  "iscsi",
  "iscsi-direct",
  "scsi",
  "mpath",
  "disk",
  "rbd",
  "sheepdog",
  "gluster",
  "zfs",
  "vstorage",
];

/** Writes what a storage connection can do (`virConnectGetCapabilities`): the pool types that have a backend. */
export function writeConnectCapabilities(supported: ReadonlySet<PoolType>): string {
  const writer = new XmlWriter(1).open("pool").open("enum", { name: "type" });
  for (const type of REGISTRATION_ORDER.filter((candidate) => supported.has(candidate))) {
    writer.leaf("value", {}, type);
  }
  return `<capabilities>\n\n${writer.close().close().toString()}\n</capabilities>\n`;
}

/** Writes what each pool type can do (`virConnectGetStoragePoolCapabilities`): formats of pools and volumes, with defaults. */
export function writePoolCapabilities(supported: ReadonlySet<PoolType>): string {
  const writer = new XmlWriter().open("storagepoolCapabilities");
  for (const type of POOL_TYPES) {
    writer.open("pool", { type, supported: supported.has(type) ? "yes" : "no" });
    const pools = poolTypeFacts[type].formats;
    if (pools !== null) {
      writeOptions(writer, "poolOptions", "sourceFormatType", pools.default, pools.values);
    }
    const volumes = volumeFormats(type);
    if (volumes !== null) {
      writeOptions(writer, "volOptions", "targetFormatType", volumes.default, advertisedFormats(type, volumes.values));
    }
    writer.close();
  }
  return writer.close().toString();
}

/** libvirt lists "none" for files, which it then refuses, and nothing for rbd, which takes raw. Clients know it so. */
function advertisedFormats(type: PoolType, formats: readonly string[]): readonly string[] {
  if (type === "rbd") {
    return [];
  }
  return formats === FILE_FORMATS ? ["none", ...formats] : formats;
}

function writeOptions(
  writer: XmlWriter,
  options: "poolOptions" | "volOptions",
  name: string,
  defaultFormat: string,
  formats: readonly string[],
): void {
  writer.open(options).leaf("defaultFormat", { type: defaultFormat }).open("enum", { name });
  for (const format of formats) {
    writer.leaf("value", {}, format);
  }
  writer.close().close();
}
