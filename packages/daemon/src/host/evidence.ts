import type { FileFacts, ScanEvidence } from "./host.js";

/**
 * The same text for the same file or device, by whatever path, symlink, mount or node it was reached: `file:DEVICE:INODE`,
 * `block:NUMBER`.
 */
export function identityOf(facts: Pick<FileFacts, "kind" | "device" | "inode" | "deviceNumber">): string {
  return facts.kind === "block" ? `block:${facts.deviceNumber}` : fileIdentity(facts);
}

/** Of what is no device. */
export function fileIdentity({ device, inode }: Pick<FileFacts, "device" | "inode">): string {
  return `file:${device}:${inode}`;
}

/** Whether a regular file is as it was: any write, and any other file in its place, changes one of these. */
export function isEvidenceOf(evidence: ScanEvidence, facts: ScanEvidence): boolean {
  return (
    evidence.changeNs === facts.changeNs &&
    evidence.inode === facts.inode &&
    evidence.device === facts.device &&
    evidence.sizeBytes === facts.sizeBytes &&
    evidence.modificationNs === facts.modificationNs
  );
}
