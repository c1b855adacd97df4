/**
 * What was asked of one volume name, and whether it can be explained: some order of the operations, each at one moment
 * between its call and its answer, in which every answer is right. Operations that were refused without saying anything
 * about the volume are left out.
 */

/** What an operation did to the volume, or what it saw there. */
export type Effect =
  /** A new volume, all zero. */
  | { readonly kind: "create"; readonly capacityBytes: number }
  /** A new volume with content that the first to look at it learns. */
  | { readonly kind: "clone"; readonly source: string; readonly id: number }
  | { readonly kind: "write"; readonly content: string }
  | { readonly kind: "resize"; readonly capacityBytes: number }
  | { readonly kind: "delete" }
  | { readonly kind: "read"; readonly content: string; readonly capacityBytes: number }
  | { readonly kind: "seen" }
  | { readonly kind: "absent" };

export interface Entry {
  readonly name: string;
  readonly calledAt: number;
  readonly answeredAt: number;
  readonly effect: Effect;
}

/** The content of a volume that nobody wrote to. */
export const ZERO = "zero";

interface State {
  readonly content: string;
  /** Null: a clone's, not learnt yet. */
  readonly capacityBytes: number | null;
}

/** Null when there is such an order; else the first entries after the longest explanation. */
export function unexplained(entries: readonly Entry[]): readonly Entry[] | null {
  const sorted = [...entries].sort((a, b) => a.calledAt - b.calledAt);
  const tried = new Set<string>();
  let furthest = 0;
  // Depth first, by hand: a history is longer than a call stack.
  const stack: Position[] = [{ from: 0, beyond: [], state: null }];
  for (let position = stack.pop(); position !== undefined; position = stack.pop()) {
    if (position.from === sorted.length) return null;
    furthest = Math.max(furthest, position.from);
    for (const index of candidates(sorted, position)) {
      const entry = sorted[index];
      const state = entry === undefined ? undefined : after(position.state, entry.effect);
      if (state === undefined) continue;
      const next = advance(position, index, state);
      const key = JSON.stringify(next);
      if (tried.has(key)) continue;
      tried.add(key);
      stack.push(next);
    }
  }
  return sorted.slice(furthest, furthest + 8);
}

/** All before `from` have their place, and of the later ones those in `beyond`. */
interface Position {
  readonly from: number;
  readonly beyond: readonly number[];
  readonly state: State | null;
}

/** Those that may come next: called before any other that is left was answered. */
function candidates(entries: readonly Entry[], { from, beyond }: Position): number[] {
  const found: number[] = [];
  let firstAnswer = Number.POSITIVE_INFINITY;
  for (let index = from; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined || entry.calledAt > firstAnswer) break;
    if (beyond.includes(index)) continue;
    found.push(index);
    firstAnswer = Math.min(firstAnswer, entry.answeredAt);
  }
  return found;
}

function advance({ from, beyond }: Position, index: number, state: State | null): Position {
  const done = new Set([...beyond, index]);
  let next = from;
  while (done.delete(next)) next += 1;
  return { from: next, beyond: [...done].sort((a, b) => a - b), state };
}

/** The state after the effect; undefined when it cannot be in this one. */
function after(state: State | null, effect: Effect): State | null | undefined {
  if (effect.kind === "create")
    return state === null ? { content: ZERO, capacityBytes: effect.capacityBytes } : undefined;
  if (effect.kind === "clone")
    return state === null ? { content: cloneContent(effect.id), capacityBytes: null } : undefined;
  if (effect.kind === "absent") return state === null ? null : undefined;
  if (state === null) return undefined;
  switch (effect.kind) {
    case "write":
      return { ...state, content: effect.content };
    case "resize":
      return { ...state, capacityBytes: effect.capacityBytes };
    case "delete":
      return null;
    case "seen":
      return state;
    case "read": {
      const sameContent = state.content === effect.content || state.content.startsWith("clone ");
      const sameCapacity = state.capacityBytes === effect.capacityBytes || state.capacityBytes === null;
      return sameContent && sameCapacity ? { content: effect.content, capacityBytes: effect.capacityBytes } : undefined;
    }
  }
}

function cloneContent(id: number): string {
  return `clone ${id}`;
}

/** Contents that a volume may have had before a moment: written to it, or to what it was cloned from before that. */
export function possibleContents(entries: readonly Entry[], name: string, before: number): ReadonlySet<string> {
  const contents = new Set<string>();
  const asked = new Map<string, number>();
  const collect = (volume: string, until: number): void => {
    if ((asked.get(volume) ?? Number.NEGATIVE_INFINITY) >= until) return;
    asked.set(volume, until);
    for (const { name: at, calledAt, answeredAt, effect } of entries) {
      if (at !== volume || calledAt > until) continue;
      if (effect.kind === "create") contents.add(ZERO);
      if (effect.kind === "write") contents.add(effect.content);
      if (effect.kind === "clone") collect(effect.source, Math.min(until, answeredAt));
    }
  };
  collect(name, before);
  return contents;
}
