import { readSecretLookup } from "../authentication.js";
import { readEncryption } from "../encryption.js";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import type { VolumeEncryption } from "../volume.js";
import { attribute, child, childAttribute, children, childText, type XmlElement } from "../xml/element.js";
import { parseDocument } from "../xml/parse.js";
import {
  type DataStore,
  DISK_DEVICES,
  DISK_SOURCE_TYPES,
  type DiskAuthentication,
  type DiskBacking,
  type DiskDevice,
  type DiskDocument,
  type DiskMirror,
  type DiskSource,
  type NetworkHost,
  VOLUME_MODES,
} from "./disk.js";

/** A chain in a document that is longer is nobody's: libvirt stops at as many images. */
const LONGEST_CHAIN = 200;

/**
 * Reads a `<disk>` document.
 *
 * @throws DocumentError 35/20 for what is not well-formed, 27/5 for another root, and what `readDiskElement` throws
 */
export function readDisk(xml: string): DiskDocument {
  return readDiskElement(
    parseDocument(xml, { kind: "device_definition", domain: DocumentErrorDomain.DOMAIN, root: "disk" }),
  );
}

/**
 * Reads a `<disk>` of a domain. What storage has nothing to do with (I/O limits, geometry, boot order …) is passed over, so that
 * documents of later versions of libvirt can be read.
 *
 * @throws DocumentError 27/20 without a target, 67/20 for a type or device that is unknown, 1/20 for a chain longer than 200
 */
export function readDiskElement(disk: XmlElement): DiskDocument {
  const source = readDiskSource(disk, attribute(disk, "type") || "file");
  const driver = child(disk, "driver");
  const target = childAttribute(disk, "target", "dev") || null;
  if (target === null) throw failure(DocumentErrorCode.XML_ERROR, "missing target information for disk");
  return {
    device: readDevice(disk),
    driver: {
      name: said(driver, "name"),
      type: said(driver, "type"),
      cache: said(driver, "cache"),
      io: said(driver, "io"),
      discard: said(driver, "discard"),
    },
    source,
    encryption: readOwnEncryption(disk),
    dataStore: readDataStore(disk),
    backing: readBacking(disk, 1),
    mirror: readMirror(disk),
    target,
    bus: childAttribute(disk, "target", "bus") || null,
    address: readAddress(disk),
    isReadOnly: child(disk, "readonly") !== null,
    isShareable: child(disk, "shareable") !== null,
    isTransient: child(disk, "transient") !== null,
    serial: childText(disk, "serial"),
    alias: childAttribute(disk, "alias", "name") || null,
  };
}

function readDevice(disk: XmlElement): DiskDevice {
  const said = attribute(disk, "device") || "disk";
  const device = DISK_DEVICES.find((known) => known === said);
  if (device === undefined) throw failure(DocumentErrorCode.CONFIG_UNSUPPORTED, `unknown disk device '${said}'`);
  return device;
}

/** Of a disk, a link of its chain, a mirror, a data store, a file system: each has its type, and its `<source>`. */
export function readDiskSource(element: XmlElement, saidType: string): DiskSource {
  const type = DISK_SOURCE_TYPES.find((known) => known === saidType);
  if (type === undefined) throw failure(DocumentErrorCode.CONFIG_UNSUPPORTED, `unknown disk type '${saidType}'`);
  const source = child(element, "source");
  switch (type) {
    case "file":
    case "block":
    case "dir":
    case "vhostvdpa":
      return { type, path: said(source, PATH_ATTRIBUTES[type]) };
    case "vhostuser":
      return { type, path: required(source, "path") };
    case "volume": {
      const mode = said(source, "mode");
      return {
        type,
        pool: required(source, "pool"),
        volume: required(source, "volume"),
        mode: VOLUME_MODES.find((known) => known === mode) ?? null,
      };
    }
    case "nvme":
      return { type, namespace: Number(required(source, "namespace")), address: readPciAddress(source) };
    case "network":
      return {
        type,
        protocol: required(source, "protocol"),
        name: said(source, "name"),
        hosts: source === null ? [] : children(source, "host").map(readHost),
        // libvirt keeps it where it was written: beside the source or in it.
        authentication: readAuthentication(child(element, "auth") ?? (source === null ? null : child(source, "auth"))),
        initiatorIqn: source === null ? null : readInitiator(source),
        snapshot: source === null ? null : childAttribute(source, "snapshot", "name") || null,
        query: said(source, "query"),
      };
  }
}

const PATH_ATTRIBUTES = { file: "file", block: "dev", dir: "dir", vhostvdpa: "dev" } as const;

function readHost(host: XmlElement): NetworkHost {
  const port = attribute(host, "port") || null;
  return {
    name: attribute(host, "name") || null,
    port: port !== null && /^\d{1,5}$/.test(port) ? Number(port) : null,
    transport: attribute(host, "transport") || null,
    socket: attribute(host, "socket") || null,
  };
}

function readAuthentication(auth: XmlElement | null): DiskAuthentication | null {
  const username = said(auth, "username");
  const secret = auth === null ? null : child(auth, "secret");
  if (auth === null || username === null || secret === null) return null;
  return {
    username,
    // Pools say it at <auth>, disks at <secret>.
    type: attribute(secret, "type") || attribute(auth, "type") || "",
    secret: readSecretLookup(secret),
  };
}

function readInitiator(source: XmlElement): string | null {
  const initiator = child(source, "initiator");
  return initiator === null ? null : childAttribute(initiator, "iqn", "name") || null;
}

/** `<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>` */
function readPciAddress(source: XmlElement | null): string {
  const address = source === null ? null : child(source, "address");
  const part = (name: string, digits: number): string => {
    const number = Number(said(address, name) ?? "0");
    return (Number.isInteger(number) ? number : 0).toString(16).padStart(digits, "0");
  };
  return `${part("domain", 4)}:${part("bus", 2)}:${part("slot", 2)}.${part("function", 1)}`;
}

/** Beside the source, or in it. */
function readOwnEncryption(element: XmlElement): VolumeEncryption | null {
  const source = child(element, "source");
  const encryption = child(element, "encryption") ?? (source === null ? null : child(source, "encryption"));
  return encryption === null ? null : readEncryption(encryption);
}

/** `<source …><dataStore type='file'><format type='raw'/><source file='…'/></dataStore></source>` */
function readDataStore(element: XmlElement): DataStore | null {
  const source = child(element, "source");
  const store = source === null ? null : child(source, "dataStore");
  if (store === null) return null;
  return { source: readDiskSource(store, attribute(store, "type") || "file"), format: readFormat(store) };
}

/** An element without anything ends the chain; no element leaves it open. */
function readBacking(element: XmlElement, depth: number): DiskBacking | "end" | null {
  const store = child(element, "backingStore");
  if (store === null) return null;
  if (child(store, "source") === null) return "end";
  if (depth > LONGEST_CHAIN) {
    throw failure(DocumentErrorCode.INTERNAL, `the backing chain has more than ${LONGEST_CHAIN} images`);
  }
  return {
    source: readDiskSource(store, attribute(store, "type") || "file"),
    format: readFormat(store),
    encryption: readOwnEncryption(store),
    dataStore: readDataStore(store),
    backing: readBacking(store, depth + 1),
  };
}

function readMirror(disk: XmlElement): DiskMirror | null {
  const mirror = child(disk, "mirror");
  if (mirror === null) return null;
  // Until libvirt 1.2 the file stood at the element itself.
  const file = attribute(mirror, "file") || null;
  const hasSource = child(mirror, "source") !== null;
  const old: DiskSource | null = file === null ? null : { type: "file", path: file };
  return {
    source: hasSource ? readDiskSource(mirror, attribute(mirror, "type") || "file") : old,
    format: readFormat(mirror) ?? (attribute(mirror, "format") || null),
    job: attribute(mirror, "job") || null,
    backing: readBacking(mirror, 1),
  };
}

function readFormat(element: XmlElement): string | null {
  return childAttribute(element, "format", "type") || null;
}

function readAddress(disk: XmlElement): DiskDocument["address"] {
  const address = child(disk, "address");
  return address === null ? null : Object.fromEntries(address.attributes);
}

function said(element: XmlElement | null, name: string): string | null {
  return element === null ? null : attribute(element, name) || null;
}

function required(element: XmlElement | null, name: string): string {
  const value = said(element, name);
  if (value !== null) return value;
  throw failure(DocumentErrorCode.XML_ERROR, `missing attribute '${name}' in the source of a disk`);
}

function failure(code: DocumentErrorCode, detail: string): DocumentError {
  return new DocumentError(code, DocumentErrorDomain.DOMAIN, detail);
}
