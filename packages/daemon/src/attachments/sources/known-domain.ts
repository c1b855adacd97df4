import type { DomainDocument } from "@cistern/documents";
import type { DomainState, KnownDomain } from "../model.js";

/** Of a status file, by libvirt's words there and elsewhere. */
const STATES: Readonly<Record<string, DomainState>> = {
  running: "running",
  blocked: "blocked",
  paused: "paused",
  shutdown: "in shutdown",
  shutoff: "shut off",
  crashed: "crashed",
  pmsuspended: "pmsuspended",
};

export function stateOf(word: string): DomainState {
  return STATES[word] ?? "unknown";
}

/**
 * A guest by one file: a status file and the document of a running guest (which has a number) say what is used now, any other
 * what will be used; whether that guest runs is then not known.
 */
export function domainOfFile(source: string, document: DomainDocument): KnownDomain {
  const { name, uuid, status, id } = document;
  const isLive = status !== null || id !== null;
  const state = status !== null ? stateOf(status.state) : isLive ? "running" : "unknown";
  const live = isLive ? document : null;
  return { source, name, uuid, state, isLive, live, persistent: isLive ? null : document, problem: null };
}

/** A guest whose document cannot be read: what it used before still counts. */
export function unreadDomain(
  source: string,
  name: string,
  before: KnownDomain | undefined,
  problem: string,
): KnownDomain {
  const nothing = { source, name, uuid: null, state: "unknown", isLive: false, live: null, persistent: null } as const;
  return { ...(before ?? nothing), problem };
}
