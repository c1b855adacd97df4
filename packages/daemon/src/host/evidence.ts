import type { ScanEvidence } from "./host.js";

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
