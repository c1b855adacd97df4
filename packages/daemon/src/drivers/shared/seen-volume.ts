import type { VolumeDocument } from "@cistern/documents";
import type { CallOptions, Directory, FileFacts, ScanEvidence, ScannedEntry } from "../../host/host.js";
import { HostError } from "../../host/host.js";
import { identityOf } from "../../host/index.js";
import type { ImageFacts } from "../../images/image-facts.js";
import { probe } from "../../images/probe.js";
import { SCAN_HEAD_BYTES, SCAN_WINDOWS } from "../../images/reading-plan.js";
import type { FoundVolume, KnownVolumes } from "../driver.js";
import { describeBacking, localPathOf } from "./backing-stores.js";
import { failure } from "./failure.js";
import { contentOf } from "./file-content.js";
import { ploopVolume } from "./ploop.js";
import { directoryVolume, fileVolume, plainTarget, timestampsOf } from "./volume-document.js";

/** A volume of a directory, before its backing store was looked at. */
export interface SeenVolume extends FoundVolume {
  /** The image does not say what its backing file holds. */
  readonly backingFormatIsUnknown: boolean;
}

/** EPERM, ENOENT, ENXIO, EACCES, ELOOP: the entry is gone, leads nowhere or is not ours; the pool is all right. */
const PASSED_OVER: ReadonlySet<number> = new Set([1, 2, 6, 13, 40]);

const ETIMEDOUT = 110;

/** Control characters, except those that XML can carry. Such names cannot be shown, nor asked for. */
const UNSHOWABLE = /[\x01-\x08\x0b\x0c\x0e-\x1f]/;

/**
 * What a scanned entry is as a volume; null where it is none; "look" where its first bytes were not enough.
 * Throws where the entry could not be read for a reason that concerns the whole storage.
 */
export function seenVolume(entry: ScannedEntry, poolPath: string, known: KnownVolumes): SeenVolume | null | "look" {
  const { name, facts } = entry;
  if (UNSHOWABLE.test(name)) return null;
  const path = `${poolPath}/${name}`;
  if (facts === null) {
    if (isPassedOver(entry.isSymlink, entry.errno)) return null;
    throw failure(new HostError("", entry.errno, name), `cannot open volume '${path}'`);
  }
  if (facts.kind === "directory" || facts.kind === "block") return "look";
  if (facts.kind !== "file") return null;
  if (entry.head === null) {
    const before = known.get(name);
    return before === undefined || before.document.target.path !== path ? "look" : unchanged(before, entry, facts);
  }
  const windows = SCAN_WINDOWS.map(({ offset }, index) => ({
    offset,
    bytes: entry.windows[index] ?? new Uint8Array(),
  }));
  const content = { head: entry.head, headBytes: SCAN_HEAD_BYTES, windows, sizeBytes: facts.sizeBytes };
  const { facts: image, needsBytes } = probe(content);
  return needsBytes > 0 ? "look" : seenFile(name, path, poolPath, facts, facts.sizeBytes, image, entry.evidence);
}

/** Behind a symlink it is other storage that does not answer: the pool's own does. */
function isPassedOver(isSymlink: boolean, errno: number): boolean {
  return PASSED_OVER.has(errno) || (isSymlink && errno === ETIMEDOUT);
}

/** Opens the entry and looks at more of it. */
export async function lookCloser(
  directory: Directory,
  { name, isSymlink, evidence }: ScannedEntry,
  poolPath: string,
  options: CallOptions,
): Promise<SeenVolume | null> {
  try {
    return await lookedAt(directory, name, poolPath, evidence, options);
  } catch (thrown) {
    if (thrown instanceof HostError && isPassedOver(isSymlink, thrown.errno)) return null;
    throw failure(thrown, `cannot open volume '${poolPath}/${name}'`);
  }
}

/** As `lookCloser`, with the host's own error for whatever goes wrong. */
export async function lookedAt(
  directory: Directory,
  name: string,
  poolPath: string,
  evidence: ScanEvidence | null,
  options: CallOptions,
): Promise<SeenVolume | null> {
  const path = `${poolPath}/${name}`;
  const entry = await directory.lookup(name, { ...options, follow: true });
  if (entry.kind === "directory") {
    return plainly((await ploopVolume(directory, name, path, options)) ?? directoryVolume(name, path, entry), entry);
  }
  if (entry.kind !== "file" && entry.kind !== "block") return null;
  await using file = await directory.open(name, { access: "read" }, options);
  const { facts, sizeBytes, image } = await contentOf(file, options);
  return seenFile(name, path, poolPath, facts, sizeBytes, image, evidence);
}

function seenFile(
  name: string,
  path: string,
  poolPath: string,
  facts: FileFacts,
  sizeBytes: bigint,
  image: ImageFacts,
  evidence: ScanEvidence | null,
): SeenVolume {
  const document = fileVolume(name, path, facts, sizeBytes, image);
  // A data file is not in the document, nor whether the format of a backing file was said by the image or found out: look again.
  const whole = image.dataFile === null ? evidence : null;
  const dataFile = image.dataFile?.name == null ? null : localPathOf(image.dataFile.name, poolPath);
  const identity = identityOf(facts);
  if (image.backing === null) return { document, evidence: whole, identity, dataFile, backingFormatIsUnknown: false };
  const { target, formatIsUnknown } = describeBacking(image.backing, poolPath);
  const trusted = formatIsUnknown ? null : whole;
  return {
    document: { ...document, backingStore: target },
    evidence: trusted,
    identity,
    dataFile,
    backingFormatIsUnknown: formatIsUnknown,
  };
}

/** Reading a file changes its access time and nothing else; its backing file may have become another one. */
function unchanged(before: FoundVolume, { evidence }: ScannedEntry, facts: FileFacts): SeenVolume {
  const { document } = before;
  const { target, backingStore } = document;
  if (target.timestamps?.accessNs === facts.accessNs && backingStore === null) {
    return { document, evidence, backingFormatIsUnknown: false };
  }
  const stripped = backingStore === null ? null : plainTarget(backingStore.path ?? "", backingStore.format ?? "raw");
  const current = { ...document, target: { ...target, timestamps: timestampsOf(facts) }, backingStore: stripped };
  return { document: current, evidence, backingFormatIsUnknown: false };
}

function plainly(document: VolumeDocument, facts: FileFacts): SeenVolume {
  return { document, evidence: null, identity: identityOf(facts), dataFile: null, backingFormatIsUnknown: false };
}
