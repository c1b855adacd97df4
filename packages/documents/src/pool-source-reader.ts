import { readAdapter } from "./adapter.js";
import { readPoolAuthentication } from "./authentication.js";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { sanitizePath } from "./paths.js";
import type { PoolDevice, PoolHost, PoolSource, PoolType } from "./pool.js";
import { NETWORK_FILE_SYSTEM_FORMATS, poolTypeFacts } from "./pool-types.js";
import { child, childAttribute, children, childText, type XmlElement } from "./xml/element.js";
import { booleanProperty, integerProperty } from "./xml/properties.js";

/** The source of a pool whose document has no `<source>`. */
export function emptySource(type: PoolType): PoolSource {
  return {
    hosts: [],
    devices: [],
    directory: null,
    adapter: null,
    name: null,
    initiatorIqn: null,
    format: poolTypeFacts[type].formats?.default ?? null,
    authentication: null,
    protocolVersion: null,
    vendor: null,
    product: null,
  };
}

/** Reads `<source>` in libvirt's order, which settles what error comes first. */
export function readSource(element: XmlElement, type: PoolType): PoolSource {
  const name = childText(element, "name");
  if (type === "rbd" && name === null) {
    throw malformed("element 'name' is mandatory for RBD pool");
  }
  const format = readFormat(element, type);
  const hosts = children(element, "host").map(readHost);
  const initiatorIqn = childAttribute(element, "initiator/iqn", "name");
  const devices = children(element, "device").map(readDevice);
  const directory = readDirectory(element, type);
  const adapterElement = child(element, "adapter");
  const adapter = adapterElement === null ? null : readAdapter(adapterElement);
  const authenticationElement = child(element, "auth");
  const authentication = authenticationElement === null ? null : readPoolAuthentication(authenticationElement);
  const protocolVersion = readProtocolVersion(element, format, type);
  return {
    hosts,
    devices,
    directory,
    adapter,
    name,
    initiatorIqn,
    format,
    authentication,
    protocolVersion,
    vendor: childAttribute(element, "vendor", "name"),
    product: childAttribute(element, "product", "name"),
  };
}

function readFormat(element: XmlElement, type: PoolType): string | null {
  const formats = poolTypeFacts[type].formats;
  if (formats === null) {
    return null;
  }
  const format = childAttribute(element, "format", "type") ?? formats.default;
  if (!formats.values.includes(format)) {
    throw unsupported(`unknown pool format type ${format}`);
  }
  return format;
}

function readHost(element: XmlElement): PoolHost {
  const name = element.attributes.get("name");
  if (name === undefined) {
    throw malformed("missing storage pool host name");
  }
  return { name, port: integerProperty(element, "port") ?? 0 };
}

function readDevice(element: XmlElement): PoolDevice {
  const path = element.attributes.get("path");
  if (path === undefined) {
    throw malformed("missing storage pool source device path");
  }
  return { path, partSeparator: booleanProperty(element, "part_separator"), freeExtents: [] };
}

function readDirectory(element: XmlElement, type: PoolType): string | null {
  const path = childAttribute(element, "dir", "path");
  if (path === null) {
    return type === "gluster" ? "/" : null;
  }
  return sanitizePath(path);
}

function readProtocolVersion(element: XmlElement, format: string | null, type: PoolType): string | null {
  const version = childAttribute(element, "protocol", "ver");
  if (version === null) {
    return null;
  }
  // libvirt compares the format's number, whatever the type: the first two of any list pass for auto and nfs.
  const number = format === null ? 0 : (poolTypeFacts[type].formats?.values.indexOf(format) ?? 0);
  if (number > 1) {
    const shown = NETWORK_FILE_SYSTEM_FORMATS[number] ?? "(null)";
    throw unsupported(`storage pool protocol ver unsupported for pool type '${shown}'`);
  }
  if (version.includes(",")) {
    throw new DocumentError(
      DocumentErrorCode.XML_DETAIL,
      DocumentErrorDomain.STORAGE,
      `storage pool protocol ver '${version}' must not contain ','`,
    );
  }
  return version;
}

function malformed(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, detail);
}

function unsupported(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.CONFIG_UNSUPPORTED, DocumentErrorDomain.STORAGE, detail);
}
