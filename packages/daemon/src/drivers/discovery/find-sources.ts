import { POOL_TYPES, type PoolSource, type PoolType, readSourceSpecification } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { missingBackend } from "../absent.js";
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

/**
 * The answer to "which sources are there for a pool of this type": a `<sources>` document. `specification` is the
 * caller's `<source>` document, or null.
 */
export async function findSources(
  type: string,
  specification: string | null,
  flags: number,
  read: SourceReader = readHere,
): Promise<string> {
  const poolType = POOL_TYPES.find((known) => known === type);
  if (poolType === undefined) {
    const text = `unknown storage pool type ${type}`;
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
  if (NOT_DISCOVERED.has(poolType)) throw unsupported("pool.discover", poolType);
  await checkArguments(poolType, specification, flags, read);
  throw missingBackend(poolType);
}

/** What libvirt's backends refuse before they look. */
async function checkArguments(
  type: PoolType,
  specification: string | null,
  flags: number,
  read: SourceReader,
): Promise<void> {
  const functionName = FUNCTIONS[type];
  if (functionName !== undefined) LibvirtError.checkFlags(ErrorDomain.STORAGE, functionName, flags, 0);
  const sources = ASKED_OF_A_HOST[type];
  if (sources === undefined) return;
  if (specification === null) {
    const text = `hostname must be specified for ${sources} sources`;
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
  }
  const { hosts, initiatorIqn } = await read(specification, type);
  if (hosts.length !== 1) throw unsupportedConfiguration("Expected exactly 1 host for the storage pool");
  if (type === "iscsi-direct" && initiatorIqn === null) throw unsupportedConfiguration("missing initiator IQN");
}

function unsupportedConfiguration(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}
