import type { PoolDocument } from "@cistern/documents";
import type { CancelSignal } from "../../cancel-signal.js";
import type { CallOptions, Directory, FileFacts, Host, Identity, ScannedEntry, ScanRequest } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import type { KnownVolumes, PoolScan } from "../driver.js";
import { isErrno } from "../shared/failure.js";
import { type RefusedEntries, scanDirectory } from "../shared/scan-directory.js";
import { targetPath } from "../shared/target-directory.js";

/** Scans a pool's directory; what only its owner may read is read as its owner. */
export function scanAsOwners(
  pool: PoolDocument,
  host: Host,
  known: KnownVolumes,
  signal: CancelSignal,
): Promise<PoolScan> {
  return scanDirectory(pool, host, known, signal, refusedEntries(pool, host));
}

function refusedEntries(pool: PoolDocument, host: Host): RefusedEntries {
  return async function* readAsOwners(directory, entries, request, options) {
    const byOwner = await groupedByOwner(directory, entries, options);
    // Each owner costs a process; of a directory where everything is somebody else's, the biggest shares are read.
    const groups = [...byOwner.values()].sort((a, b) => b.names.size - a.names.size).slice(0, hostLimits.scanOwners);
    for (const { identity, names } of groups) {
      const other = await host.as?.(targetPath(pool), identity);
      if (other != null) yield* readAs(other, pool, names, request, options);
    }
  };
}

interface Group {
  readonly identity: Identity;
  readonly names: Set<string>;
}

async function groupedByOwner(
  directory: Directory,
  entries: readonly ScannedEntry[],
  options: CallOptions,
): Promise<Map<string, Group>> {
  const groups = new Map<string, Group>();
  const todo = entries.map(({ name }) => name).values();
  const lookAtNext = async (): Promise<void> => {
    for (const name of todo) {
      const facts = await factsOf(directory, name, options);
      // Root is who was refused.
      if (facts === null || facts.owner === 0) continue;
      const { owner, group } = facts;
      const key = `${owner}:${group}`;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { identity: { owner, group }, names: new Set([name]) });
      else known.names.add(name);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lookAtNext));
  return groups;
}

const LOOKS_AT_ONCE = 16;

/** null: it has gone, or nothing may be known of it. */
async function factsOf(directory: Directory, name: string, options: CallOptions): Promise<FileFacts | null> {
  try {
    return await directory.lookup(name, { ...options, follow: true });
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "EACCES", "EPERM", "ELOOP", "ENOTDIR")) return null;
    throw thrown;
  }
}

/** The owner of a file in it may not be let into the directory. */
async function* readAs(
  host: Host,
  pool: PoolDocument,
  names: ReadonlySet<string>,
  request: ScanRequest,
  options: CallOptions,
): AsyncGenerator<{ readonly directory: Directory; readonly entries: readonly ScannedEntry[] }> {
  let directory: Directory;
  try {
    directory = await host.openDirectory(targetPath(pool), options);
  } catch (thrown) {
    if (isErrno(thrown, "EACCES", "EPERM")) return;
    throw thrown;
  }
  try {
    for await (const batch of directory.scan(request, options)) {
      yield { directory, entries: batch.filter(({ name }) => names.has(name)) };
    }
  } catch (thrown) {
    // Who may enter a directory need not be allowed to list it.
    if (!isErrno(thrown, "EACCES", "EPERM")) throw thrown;
  } finally {
    await directory.close();
  }
}
