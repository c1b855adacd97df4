import {
  POOL_TYPES,
  type PoolSource,
  type PoolType,
  readSourceSpecification,
  writeDiscoveredSources,
} from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { type AbsentDriver, missingBackend } from "../absent.js";
import type { StorageDriver } from "../driver.js";
import { unsupported } from "../unsupported.js";

/** Types of which nothing can be looked for: the sources are what an administrator makes them. */
const NOT_DISCOVERED: ReadonlySet<PoolType> = new Set(["dir", "fs", "disk", "rbd", "mpath", "scsi", "zfs"]);

/** libvirt's functions that look for sources; they know no flags, and their names stand in the refusal. */
const FUNCTIONS: { readonly [Type in PoolType]?: string } = {
  logical: "virStorageBackendLogicalFindPoolSources",
  netfs: "virStorageBackendFileSystemNetFindPoolSources",
  iscsi: "virStorageBackendISCSIFindPoolSources",
  "iscsi-direct": "virStorageBackendISCSIDirectFindPoolSources",
  gluster: "virStorageBackendGlusterFindPoolSources",
};

/** Types whose sources are looked for on another machine, which has to be named, and what libvirt calls them. */
const ASKED_OF_A_HOST: { readonly [Type in PoolType]?: string } = {
  netfs: "netfs",
  iscsi: "iscsi",
  "iscsi-direct": "iscsi",
  gluster: "gluster",
};

/** Reads a `<source>` document, here or wherever long documents are read. */
export type SourceReader = (xml: string, type: PoolType) => Promise<PoolSource>;

const readHere: SourceReader = async (xml, type) => readSourceSpecification(xml, type);

export interface DiscoveryContext {
  readonly host: Host;
  readonly signal: CancelSignal;
  /** Default: here. */
  readonly read?: SourceReader;
}

/** `findSources` of index.ts, with the table of drivers. */
export async function findSourcesWith(
  drivers: Readonly<Record<PoolType, StorageDriver | AbsentDriver>>,
  type: string,
  specification: string | null,
  flags: number,
  { host, signal, read = readHere }: DiscoveryContext,
): Promise<string> {
  const poolType = POOL_TYPES.find((known) => known === type);
  if (poolType === undefined) {
    const text = `unknown storage pool type ${type}`;
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
  if (NOT_DISCOVERED.has(poolType)) throw unsupported("pool.discover", poolType);
  const driver = drivers[poolType];
  const wanted = await checkArguments(poolType, specification, flags, read);
  if ("absent" in driver) throw missingBackend(poolType);
  if (driver.discover === undefined) throw unsupported("pool.discover", poolType);
  return writeDiscoveredSources(poolType, await driver.discover(wanted, host, signal));
}

/** What libvirt's backends refuse before they look. Gives where to look; null: the type's sources are all on this machine. */
async function checkArguments(
  type: PoolType,
  specification: string | null,
  flags: number,
  read: SourceReader,
): Promise<PoolSource | null> {
  const functionName = FUNCTIONS[type];
  if (functionName !== undefined) LibvirtError.checkFlags(ErrorDomain.STORAGE, functionName, flags, 0);
  const sources = ASKED_OF_A_HOST[type];
  if (sources === undefined) return null;
  if (specification === null) {
    const text = `hostname must be specified for ${sources} sources`;
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
  }
  const wanted = await read(specification, type);
  const { hosts, initiatorIqn } = wanted;
  if (hosts.length !== 1) throw unsupportedConfiguration("Expected exactly 1 host for the storage pool");
  if (type === "iscsi-direct" && initiatorIqn === null) throw unsupportedConfiguration("missing initiator IQN");
  return wanted;
}

function unsupportedConfiguration(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}
