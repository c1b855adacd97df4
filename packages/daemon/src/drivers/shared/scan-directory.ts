import type { PoolDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { CallOptions, Directory, Host, ScanEvidence, ScannedEntry, ScanRequest } from "../../host/host.js";
import { SCAN_HEAD_BYTES, SCAN_WINDOWS } from "../../images/reading-plan.js";
import type { FoundVolume, KnownVolumes, PoolScan, PoolSizes } from "../driver.js";
import { BackingFiles, withBackingFile } from "./backing-stores.js";
import { failingAs, failure } from "./failure.js";
import { lookCloser, type SeenVolume, seenVolume } from "./seen-volume.js";
import { openTarget, targetPath } from "./target-directory.js";
import { Turns } from "./turns.js";
import { permissionsOf } from "./volume-document.js";

const EPERM = 1;
const EACCES = 13;

/** Another way to entries that could not be read for lack of permission: as they are through another handle. */
export type RefusedEntries = (
  directory: Directory,
  entries: readonly ScannedEntry[],
  request: ScanRequest,
  options: CallOptions,
) => AsyncIterable<{ readonly directory: Directory; readonly entries: readonly ScannedEntry[] }>;

/** Volumes gone through before looking at the clock. */
const VOLUMES_PER_LOOK = 256;

/**
 * Looks at a directory pool: every entry with what its first bytes say, the size of the file system, the owner of the
 * directory. Files that were not touched since the last scan are not opened again. Where an entry cannot be read for a
 * reason that concerns the storage as a whole (an I/O error), the scan fails, as libvirt's does.
 */
export async function scanDirectory(
  pool: PoolDocument,
  host: Host,
  known: KnownVolumes,
  signal: CancelSignal,
  refused: RefusedEntries | null = null,
): Promise<PoolScan> {
  const path = targetPath(pool);
  await using directory = await openTarget(pool, host, { signal });
  const seen = await seenVolumes(directory, path, known, refused, { signal });
  const volumes = await withBackingStores(seen, host, { signal });
  const facts = await failingAs(`cannot stat path '${path}'`, directory.facts({ signal }));
  const sizes = await sizesOf(directory, path, { signal });
  return {
    ...sizes,
    pool: { ...pool, target: { ...pool.target, permissions: permissionsOf(facts) } },
    volumes,
  };
}

/** The size of its file system, and what of it is taken. */
export async function measureDirectory(pool: PoolDocument, host: Host, signal: CancelSignal): Promise<PoolSizes> {
  await using directory = await openTarget(pool, host, { signal });
  return await sizesOf(directory, targetPath(pool), { signal });
}

async function sizesOf(directory: Directory, path: string, options: CallOptions): Promise<PoolSizes> {
  const { capacityBytes, freeBytes } = await failingAs(`cannot statvfs path '${path}'`, directory.space(options));
  return { capacityBytes, allocationBytes: capacityBytes - freeBytes, availableBytes: freeBytes };
}

async function seenVolumes(
  directory: Directory,
  path: string,
  known: KnownVolumes,
  refused: RefusedEntries | null,
  options: CallOptions,
): Promise<SeenVolume[]> {
  const request = { headBytes: SCAN_HEAD_BYTES, windows: SCAN_WINDOWS, known: await evidenceOf(known) };
  const seen: SeenVolume[] = [];
  const notAllowed: ScannedEntry[] = [];
  const turns = new Turns();
  const take = async (batch: readonly ScannedEntry[], by: Directory): Promise<void> => {
    for (const entry of batch) {
      let volume = seenVolume(entry, path, known);
      if (volume === "look") volume = await lookCloser(by, entry, path, options);
      if (volume !== null) seen.push(entry.isSymlink ? { ...volume, isSymlink: true } : volume);
    }
    // Batches that are already there come without a pause.
    if (turns.isOver) await turns.next();
  };
  try {
    for await (const batch of directory.scan(request, options)) {
      await take(batch, directory);
      if (refused !== null) notAllowed.push(...batch.filter(({ errno }) => errno === EPERM || errno === EACCES));
    }
    if (refused === null || notAllowed.length === 0) return seen;
    for await (const { directory: by, entries } of refused(directory, notAllowed, request, options)) {
      await take(entries, by);
    }
  } catch (thrown) {
    throw failure(thrown, `cannot read directory '${path}'`, ErrorDomain.NONE);
  }
  return seen;
}

async function evidenceOf(known: KnownVolumes): Promise<ReadonlyMap<string, ScanEvidence>> {
  const byName = new Map<string, ScanEvidence>();
  const turns = new Turns();
  for (const { document, evidence } of known) {
    if (evidence !== null) byName.set(document.name, evidence);
    if (byName.size % VOLUMES_PER_LOOK === 0 && turns.isOver) await turns.next();
  }
  return byName;
}

/**
 * Overlays with what is known of their backing files. Most of these lie in the same pool and were just seen; the others
 * are opened, each once.
 */
async function withBackingStores(
  seen: readonly SeenVolume[],
  host: Host,
  options: CallOptions,
): Promise<FoundVolume[]> {
  const files = await backingFiles(seen, host, options);
  const volumes: FoundVolume[] = [];
  const turns = new Turns();
  for (const { backingFormatIsUnknown, ...volume } of seen) {
    const { document } = volume;
    const backing = document.backingStore;
    if (backing === null) {
      volumes.push(volume);
    } else {
      const backingStore = withBackingFile(backing, files.get(backing.path ?? ""), backingFormatIsUnknown);
      volumes.push({ ...volume, document: { ...document, backingStore } });
    }
    if (volumes.length % VOLUMES_PER_LOOK === 0 && turns.isOver) await turns.next();
  }
  return volumes;
}

async function backingFiles(seen: readonly SeenVolume[], host: Host, options: CallOptions): Promise<BackingFiles> {
  const files = new BackingFiles(host, options);
  const wanted = new Set<string>();
  for (const { document } of seen) {
    if (document.backingStore?.path != null) wanted.add(document.backingStore.path);
  }
  if (wanted.size === 0) return files;
  for (const { document } of seen) {
    if (document.target.path !== null && wanted.has(document.target.path)) files.seen(document.target);
  }
  await files.open(wanted);
  return files;
}
