import {
  LIMITS,
  type WireAttachment,
  type WireConflict,
  type WireDomainSource,
  type WireExplanation,
  type WireOrphan,
  type WirePoolProposal,
} from "@cistern/protocol";
import type { PoolProposal } from "../attachments/adoption.js";
import type { Conflict } from "../attachments/conflict.js";
import type { Explanation } from "../attachments/explanation.js";
import type { Attachment, SourceFacts } from "../attachments/model.js";
import type { Orphan } from "../attachments/orphans.js";
import { limits } from "../limits.js";
import { sendable } from "./sendable.js";
import { microseconds } from "./wire-job.js";

export function toWireAttachment({ identity: _, address, ...attachment }: Attachment): WireAttachment {
  const attributes = Object.entries(address ?? {}).map(([name, value]) => ({ name, value }));
  return sendable({ ...attachment, address: attributes });
}

export function toWireSource({ since, ...source }: SourceFacts): WireDomainSource {
  return sendable({ ...source, since: microseconds(new Date(since)) });
}

export function toWireExplanation({ attachments, jobs, ...explanation }: Explanation): WireExplanation {
  return {
    ...sendable(explanation),
    attachments: attachments.slice(0, LIMITS.inspectionItems).map(toWireAttachment),
    jobs: sendable(jobs.map(({ id, title }) => ({ id: BigInt(id), title }))),
  };
}

export function toWireConflict(conflict: Conflict): WireConflict {
  return sendable(conflict);
}

export function toWireOrphan({ capacityBytes, allocationBytes, modificationNs, ...orphan }: Orphan): WireOrphan {
  return {
    ...sendable(orphan),
    capacity: capacityBytes,
    allocation: allocationBytes,
    modified: modificationNs ?? 0n,
  };
}

export function toWireProposal({ xml, ...proposal }: PoolProposal): WirePoolProposal {
  return { ...sendable(proposal), xml };
}

/** As much of a list, from an offset on, as one reply should have; at least one item, if there is one. */
export function pageOf<Item, Wire>(items: readonly Item[], offset: number, toWire: (item: Item) => Wire): Wire[] {
  const page: Wire[] = [];
  let letters = 0;
  for (let at = offset; at < items.length && page.length < LIMITS.listItems; at++) {
    const item = items[at];
    if (item === undefined) break;
    const wire = toWire(item);
    letters += lettersIn(wire);
    if (page.length > 0 && letters > limits.pageLetters) break;
    page.push(wire);
  }
  return page;
}

function lettersIn(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let letters = 0;
  for (const part of Object.values(value)) letters += lettersIn(part);
  return letters;
}
