import { writeEncryption } from "../encryption.js";
import type { VolumeEncryption } from "../volume.js";
import { type XmlAttributes, XmlWriter } from "../xml/write.js";
import type {
  DataStore,
  DiskAuthentication,
  DiskBacking,
  DiskDocument,
  DiskMirror,
  DiskSource,
  NetworkHost,
} from "./disk.js";

/** Writes a disk in libvirt's form and order, as a document of its own. */
export function writeDisk(disk: DiskDocument): string {
  const { driver, source, encryption, target, bus } = disk;
  const writer = new XmlWriter().open("disk", { type: source.type, device: disk.device });
  if (Object.values(driver).some((value) => value !== null)) {
    const { name, type, cache, io, discard } = driver;
    writer.leaf("driver", { name, type, cache, io, discard });
  }
  if (source.type === "network" && source.authentication !== null) writeAuthentication(writer, source.authentication);
  writeSource(writer, source, encryption, disk.dataStore);
  writeBacking(writer, disk.backing);
  if (disk.mirror !== null) writeMirror(writer, disk.mirror);
  writer.leaf("target", { dev: target, bus });
  if (disk.isReadOnly) writer.leaf("readonly");
  if (disk.isShareable) writer.leaf("shareable");
  if (disk.isTransient) writer.leaf("transient");
  if (disk.serial !== null) writer.leaf("serial", {}, disk.serial);
  if (disk.alias !== null) writer.leaf("alias", { name: disk.alias });
  if (disk.address !== null) writer.leaf("address", disk.address);
  return writer.close().toString();
}

function writeAuthentication(writer: XmlWriter, { username, type, secret }: DiskAuthentication): void {
  writer
    .open("auth", { username })
    .leaf("secret", { type, ...secret })
    .close();
}

/** Nothing is written of an empty drive. */
function writeSource(
  writer: XmlWriter,
  source: DiskSource,
  encryption: VolumeEncryption | null,
  dataStore: DataStore | null,
): void {
  const attributes = attributesOf(source);
  const isEmpty = Object.values(attributes).every((value) => value === null);
  const content = contentOf(source);
  if (isEmpty && content === null && encryption === null && dataStore === null) return;
  if (content === null && encryption === null && dataStore === null) {
    writer.leaf("source", attributes);
    return;
  }
  writer.open("source", attributes);
  content?.(writer);
  if (encryption !== null) writeEncryption(writer, encryption);
  if (dataStore !== null) {
    writer.open("dataStore", { type: dataStore.source.type });
    if (dataStore.format !== null) writer.leaf("format", { type: dataStore.format });
    writeSource(writer, dataStore.source, null, null);
    writer.close();
  }
  writer.close();
}

function attributesOf(source: DiskSource): XmlAttributes {
  switch (source.type) {
    case "file":
      return { file: source.path };
    case "block":
    case "vhostvdpa":
      return { dev: source.path };
    case "dir":
      return { dir: source.path };
    case "vhostuser":
      return { type: "unix", path: source.path };
    case "volume":
      return { pool: source.pool, volume: source.volume, mode: source.mode };
    case "nvme":
      return { type: "pci", managed: "yes", namespace: source.namespace };
    case "network":
      return { protocol: source.protocol, name: source.name, query: source.query };
  }
}

/** What stands in the element; null: nothing. */
function contentOf(source: DiskSource): ((writer: XmlWriter) => void) | null {
  if (source.type === "nvme") return (writer) => writer.leaf("address", pciAddress(source.address));
  if (source.type !== "network") return null;
  const { hosts, snapshot, initiatorIqn } = source;
  if (hosts.length === 0 && snapshot === null && initiatorIqn === null) return null;
  return (writer) => {
    for (const host of hosts) writer.leaf("host", hostAttributes(host));
    if (snapshot !== null) writer.leaf("snapshot", { name: snapshot });
    if (initiatorIqn !== null) writer.open("initiator").leaf("iqn", { name: initiatorIqn }).close();
  };
}

function hostAttributes({ transport, name, port, socket }: NetworkHost): XmlAttributes {
  return { transport, name, port, socket };
}

function pciAddress(address: string): XmlAttributes {
  const [domain = "0", bus = "0", slot = "0", pciFunction = "0"] = address.split(/[:.]/);
  return { domain: `0x${domain}`, bus: `0x${bus}`, slot: `0x${slot}`, function: `0x${pciFunction}` };
}

function writeBacking(writer: XmlWriter, backing: DiskBacking | "end" | null): void {
  if (backing === null) return;
  if (backing === "end") {
    writer.leaf("backingStore");
    return;
  }
  writer.open("backingStore", { type: backing.source.type });
  if (backing.format !== null) writer.leaf("format", { type: backing.format });
  writeSource(writer, backing.source, backing.encryption, backing.dataStore);
  writeBacking(writer, backing.backing);
  writer.close();
}

function writeMirror(writer: XmlWriter, { source, format, job, backing }: DiskMirror): void {
  writer.open("mirror", { type: source?.type ?? null, job });
  if (format !== null) writer.leaf("format", { type: format });
  if (source !== null) writeSource(writer, source, null, null);
  writeBacking(writer, backing);
  writer.close();
}
