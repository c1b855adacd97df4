import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory, FileFacts, FileKind, Host } from "../../host/host.js";
import { identityOf, isEvidenceOf } from "../../host/index.js";
import { guestCapacityBytes } from "../../images/probe.js";
import type { FoundVolume } from "../driver.js";
import { readBackingFile, refreshBacking, withBackingFile } from "./backing-stores.js";
import { failure, isErrno } from "./failure.js";
import { contentOf, type FileContent } from "./file-content.js";
import { lookedAt } from "./seen-volume.js";
import { openTargetLazily, openTargetRaw, pathOf, targetPath } from "./target-directory.js";
import { permissionsOf, sizesOf, timestampsOf } from "./volume-document.js";

/**
 * Looks at one volume again: sizes, times, owner, and what the header says a guest sees. What a scan would find out
 * beyond that (format, features, backing store) is only looked for with `probe`. 50 when the file is gone.
 */
export async function refreshFile(
  pool: PoolDocument,
  found: FoundVolume,
  probe: boolean,
  host: Host,
): Promise<FoundVolume> {
  const path = pathOf(found.document);
  // Whether it may be a symlink is a scan's to find out: this look follows whatever is there.
  const { isSymlink = false } = found;
  try {
    await using directory = await openTargetLazily(pool, host);
    if (probe) return { ...(await probed(directory, pool, found.document, host)), isSymlink };
    const seen = await restated(directory, found);
    return { ...seen, document: await refreshBacking(seen.document, host), isSymlink };
  } catch (thrown) {
    const isGone = isErrno(thrown, "ENOENT", "ENOTDIR") && !(await isDangling(pool, found.document, host));
    throw isGone ? noSuchPath(path) : failure(thrown, `cannot open volume '${path}'`);
  }
}

/** A symlink that leads nowhere is no volume any more, but it is there. */
async function isDangling(pool: PoolDocument, { name }: VolumeDocument, host: Host): Promise<boolean> {
  try {
    await using directory = await openTargetRaw(pool, host);
    return (await directory.lookup(name, { follow: false })).kind === "symlink";
  } catch {
    return false;
  }
}

async function probed(
  directory: Directory,
  pool: PoolDocument,
  volume: VolumeDocument,
  host: Host,
): Promise<FoundVolume> {
  const seen = await lookedAt(directory, volume.name, targetPath(pool), null, {});
  if (seen === null) throw noSuchPath(pathOf(volume));
  const { backingFormatIsUnknown, ...found } = seen;
  const { document } = found;
  const { backingStore } = document;
  if (backingStore === null || backingStore.path === null) return found;
  const file = await readBackingFile(backingStore.path, host);
  return {
    ...found,
    document: { ...document, backingStore: withBackingFile(backingStore, file, backingFormatIsUnknown) },
  };
}

async function restated(directory: Directory, { document: volume, evidence }: FoundVolume): Promise<FoundVolume> {
  const facts = await directory.lookup(volume.name, { follow: true });
  if (!IS_STORAGE.has(facts.kind)) throw await unexpectedKind(directory, volume, facts.kind);
  const identity = identityOf(facts);
  if (facts.kind === "directory") {
    return { document: { ...withFacts(volume, facts, 0n), capacityBytes: 0n }, evidence, identity };
  }
  if (facts.kind === "file" && isPlain(volume)) {
    return { document: asPlainFile(volume, facts), evidence, identity };
  }
  if (evidence !== null && isEvidenceOf(evidence, facts)) {
    return { document: withFacts(volume, facts, facts.sizeBytes), evidence, identity };
  }
  await using file = await directory.open(volume.name, { access: "read" });
  const content = await contentOf(file);
  const document = {
    ...withFacts(volume, content.facts, content.sizeBytes),
    capacityBytes: capacityOf(volume, content),
  };
  // This look left format and features as they were: the next scan shall not trust it for a whole one.
  return { document, evidence: null, identity };
}

/** A volume whose file a guest sees as a whole. */
export function asPlainFile(volume: VolumeDocument, facts: FileFacts): VolumeDocument {
  return { ...withFacts(volume, facts, facts.sizeBytes), capacityBytes: facts.sizeBytes };
}

/** An image just made: what its file is like, and what a guest will see of it. */
export function asImage(volume: VolumeDocument, facts: FileFacts, capacityBytes: bigint): VolumeDocument {
  return { ...withFacts(volume, facts, facts.sizeBytes), capacityBytes };
}

const IS_STORAGE: ReadonlySet<FileKind> = new Set(["file", "directory", "block"]);

/** Something took the file's place that is no storage. libvirt has a sentence for each, and another behind a symlink. */
async function unexpectedKind(directory: Directory, volume: VolumeDocument, kind: FileKind): Promise<LibvirtError> {
  const path = pathOf(volume);
  const isLink = (await directory.lookup(volume.name, { follow: false })).kind === "symlink";
  const text =
    kind === "character"
      ? `unexpected storage mode for '${path}'`
      : isLink
        ? `unexpected type for file '${path}'`
        : `Volume path '${path}' is a ${kind === "fifo" ? "FIFO" : kind}`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}

/** A guest sees the whole file. */
function isPlain({ target }: VolumeDocument): boolean {
  return (target.format === "raw" || target.format === "iso") && target.encryption === null;
}

/** By the header, if it is one of the format that the document says; otherwise it is somebody's data. */
function capacityOf(volume: VolumeDocument, { image, sizeBytes }: FileContent): bigint {
  return isPlain(volume) || image.format !== volume.target.format ? sizeBytes : guestCapacityBytes(image, sizeBytes);
}

function withFacts(volume: VolumeDocument, facts: FileFacts, sizeBytes: bigint): VolumeDocument {
  const target = { ...volume.target, permissions: permissionsOf(facts), timestamps: timestampsOf(facts) };
  return { ...volume, ...sizesOf(facts, sizeBytes), hasAllocation: true, target };
}

function noSuchPath(path: string): LibvirtError {
  const text = `no storage vol with matching path '${path}'`;
  return LibvirtError.of(ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE, text);
}
