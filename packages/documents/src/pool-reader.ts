import { validateAdapter } from "./adapter.js";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { sanitizePath } from "./paths.js";
import { NO_PERMISSIONS, readPermissions } from "./permissions.js";
import { POOL_TYPES, type PoolDocument, type PoolSource, type PoolType } from "./pool.js";
import { FS_NAMESPACE, RBD_NAMESPACE } from "./pool-namespaces.js";
import { emptySource, readSource } from "./pool-source-reader.js";
import { poolTypeFacts } from "./pool-types.js";
import { parseUuid, randomUuid } from "./uuid.js";
import { childAttribute, childText, descendant, type XmlElement } from "./xml/element.js";
import { parseDocument } from "./xml/parse.js";
import { booleanProperty, requiredEnumProperty } from "./xml/properties.js";

export interface ReadPoolOptions {
  /** For a document without a UUID. */
  readonly randomUuid?: () => string;
}

/**
 * Reads a pool document. Sizes in it are ignored, as libvirt ignores them: they are always 0.
 *
 * @throws DocumentError with libvirt's code, domain and text, for the first thing wrong in libvirt's order
 */
export function readPool(xml: string, options: ReadPoolOptions = {}): PoolDocument {
  const root = parseDocument(xml, {
    kind: "storage_pool_definition",
    domain: DocumentErrorDomain.STORAGE,
    root: "pool",
  });
  return readPoolElement(root, options);
}

/** Reads a `<pool>` element that stands alone or in a state file. */
export function readPoolElement(pool: XmlElement, options: ReadPoolOptions = {}): PoolDocument {
  const type = requiredEnumProperty(pool, "type", POOL_TYPES);
  const sourceElement = descendant(pool, "source");
  const source = sourceElement === null ? emptySource(type) : readSource(sourceElement, type);
  const name = readName(pool, source, type);
  const uuid = readUuid(pool, options);
  const copyOnWrite = readCopyOnWrite(pool, type);
  const complete = completeSource(pool, source, name, type);
  const target = readTarget(pool, complete, type);
  if (type === "iscsi-direct" && complete.initiatorIqn === null) {
    throw unsupported("missing initiator IQN");
  }
  const document: PoolDocument = {
    type,
    name,
    uuid,
    capacityBytes: 0n,
    allocationBytes: 0n,
    availableBytes: 0n,
    copyOnWrite,
    source: complete,
    target,
    refreshVolumeAllocation: readRefresh(pool),
    mountOptions: type === "fs" || type === "netfs" ? readMountOptions(pool) : [],
    rbdOptions: type === "rbd" ? readRbdOptions(pool) : [],
  };
  if (name.includes("\n")) {
    throw new DocumentError(DocumentErrorCode.XML_DETAIL, DocumentErrorDomain.XML, "invalid char in name: \n");
  }
  return document;
}

function readName(pool: XmlElement, source: PoolSource, type: PoolType): string {
  const name = childText(pool, "name") ?? (poolTypeFacts[type].source.name ? source.name : null);
  if (name === null) {
    throw malformed("missing pool source name element");
  }
  if (name.includes("/")) {
    throw malformed(`name ${name} cannot contain '/'`);
  }
  return name;
}

function readUuid(pool: XmlElement, options: ReadPoolOptions): string {
  const text = childText(pool, "uuid");
  if (text === null) {
    return (options.randomUuid ?? randomUuid)();
  }
  const uuid = parseUuid(text);
  if (uuid === null) {
    throw malformed("malformed uuid element");
  }
  return uuid;
}

function readCopyOnWrite(pool: XmlElement, type: PoolType): boolean | null {
  const cow = descendant(pool, "features/cow");
  if (cow === null) {
    return null;
  }
  const state = booleanProperty(cow, "state");
  if (state !== null && type !== "dir" && type !== "fs") {
    throw new DocumentError(
      DocumentErrorCode.NO_SUPPORT,
      DocumentErrorDomain.STORAGE,
      "cow feature may only be used for 'fs' and 'dir' pools",
    );
  }
  return state;
}

/** Checks that a source has what its type needs; a volume group's or dataset's name defaults to the pool's. */
function completeSource(pool: XmlElement, source: PoolSource, poolName: string, type: PoolType): PoolSource {
  const parts = poolTypeFacts[type].source;
  if (parts.hosts && source.hosts.length === 0) {
    throw malformed("missing storage pool source host name");
  }
  if (parts.directory && source.directory === null) {
    throw malformed("missing storage pool source path");
  }
  if (parts.adapter && source.adapter === null) {
    throw malformed("missing storage pool source adapter");
  }
  const adapterElement = descendant(pool, "source/adapter");
  if (parts.adapter && source.adapter !== null && adapterElement !== null) {
    validateAdapter(source.adapter, adapterElement);
  }
  const isDeviceOnly = Object.entries(parts).every(([part, has]) => has === (part === "devices"));
  if (isDeviceOnly && source.devices.length === 0) {
    throw malformed("missing storage pool source device name");
  }
  return parts.name && source.name === null ? { ...source, name: poolName } : source;
}

function readTarget(pool: XmlElement, source: PoolSource, type: PoolType): PoolDocument["target"] {
  const kind = poolTypeFacts[type].target;
  if (kind === "none") {
    return { path: null, permissions: NO_PERMISSIONS };
  }
  if (kind !== "path") {
    const path = `${kind}/${source.name ?? ""}`;
    return { path, permissions: readPermissions(descendant(pool, "target/permissions")) };
  }
  const path = childText(pool, "target/path");
  if (path === null) {
    throw malformed("missing storage pool target path");
  }
  return { path: sanitizePath(path), permissions: readPermissions(descendant(pool, "target/permissions")) };
}

function readRefresh(pool: XmlElement): PoolDocument["refreshVolumeAllocation"] {
  const allocation = childAttribute(pool, "refresh/volume", "allocation");
  if (allocation !== null && allocation !== "default" && allocation !== "capacity") {
    throw unsupported(`unknown storage pool volume refresh allocation type ${allocation}`);
  }
  return allocation;
}

function readMountOptions(pool: XmlElement): string[] {
  return namespacedElements(pool, FS_NAMESPACE, "mount_opts").map((option) => {
    const name = option.attributes.get("name");
    if (name === undefined) {
      throw malformed("no fs mount option name specified");
    }
    return name;
  });
}

function readRbdOptions(pool: XmlElement): PoolDocument["rbdOptions"] {
  return namespacedElements(pool, RBD_NAMESPACE, "config_opts").map((option) => {
    const name = option.attributes.get("name");
    const value = option.attributes.get("value");
    if (name === undefined) {
      throw malformed("no rbd option name specified");
    }
    if (name === "") {
      throw malformed("empty rbd option name specified");
    }
    if (value === undefined) {
      throw malformed(`no rbd option value specified for name '${name}'`);
    }
    if (value === "") {
      throw malformed(`empty rbd option value specified for name '${name}'`);
    }
    return { name, value };
  });
}

/** The `<option>` elements in all blocks of that name, whatever prefix the document gives the namespace. */
function namespacedElements(pool: XmlElement, namespaceUri: string, block: string): XmlElement[] {
  const within = (parent: XmlElement, name: string) =>
    parent.children.filter(
      (node): node is XmlElement =>
        typeof node !== "string" && node.namespaceUri === namespaceUri && node.name === name,
    );
  return within(pool, block).flatMap((found) => within(found, "option"));
}

function malformed(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, detail);
}

function unsupported(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.CONFIG_UNSUPPORTED, DocumentErrorDomain.STORAGE, detail);
}
