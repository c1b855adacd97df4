import type { VolumeDocument } from "@cistern/documents";
import type { FoundVolume } from "../drivers/driver.js";
import { fileIdentity } from "../host/evidence.js";
import type { FileFacts, ScanEvidence } from "../host/host.js";
import { VolumeLease } from "./volume-lease.js";

/** A volume as a pool knows it while the daemon runs. It stays the same object as long as scans find it. */
export class Volume implements FoundVolume {
  document: VolumeDocument;
  /** What the next scan needs to see that the file was not touched; null: look again. */
  evidence: ScanEvidence | null;
  /** `identityOf` what it leads to; null: nobody has looked. A scan or the creation tells it; else it is found out where it is asked for. */
  identity: string | null;
  /** What it leads to is the volume. Of others, a symlink that appears in their place is not followed. */
  isSymlink: boolean;
  /** See `FoundVolume`. */
  dataFile: string | null;
  /** Its first content is being written: it is listed, but nothing may be done with it. */
  building = false;
  /** While it is built: a look at what grows, which has no name yet. */
  growing: (() => Promise<FileFacts>) | null = null;
  /** It is being deleted: nothing may be built on it any more. */
  removing = false;
  /** By how much it will be larger when the resize that waits or is under way has ended: it is promised already. */
  enlargedByBytes = 0n;
  readonly lease = new VolumeLease();

  constructor(found: FoundVolume) {
    const { document, evidence, isSymlink = false, dataFile = null } = found;
    this.document = document;
    this.evidence = evidence;
    this.identity = identityTold(found);
    this.isSymlink = isSymlink;
    this.dataFile = dataFile;
  }

  get name(): string {
    return this.document.name;
  }

  /** Takes over what was found. */
  update(found: FoundVolume): void {
    const { document, evidence, isSymlink = false, dataFile } = found;
    this.document = document;
    this.evidence = evidence;
    this.identity = identityTold(found) ?? this.identity;
    this.isSymlink = isSymlink;
    if (dataFile !== undefined) this.dataFile = dataFile;
  }
}

function identityTold({ identity, evidence }: FoundVolume): string | null {
  return identity ?? (evidence === null ? null : fileIdentity(evidence));
}
