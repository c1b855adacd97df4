import type { Use } from "./use.js";

/**
 * The document and the headers tell of the same chain, the running guest and its definition of the same disks. What is the same file
 * in the same role of the same disk is one use, of both times where the guest does the same with it now and at its next start, else
 * one of each time.
 */
export function mergedUses(uses: readonly Use[]): Use[] {
  const byKey = new Map<string, Use[]>();
  for (const use of uses) {
    const key = JSON.stringify([use.role, use.target, use.identity ?? use.place]);
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [use]);
    else same.push(use);
  }
  return [...byKey.values()].flatMap((same) => (same.length === 1 ? same : overBothTimes(same)));
}

function overBothTimes(uses: readonly Use[]): Use[] {
  const live = atOneTime(uses, "live");
  const next = atOneTime(uses, "next-boot");
  if (live === null || next === null) return [live, next].filter((use) => use !== null);
  if (!isSameDeed(live, next)) return [live, next];
  return [
    {
      ...live,
      when: "both",
      format: live.format ?? next.format,
      problem: live.problem ?? next.problem,
      isUnknown: live.isUnknown || next.isUnknown,
    },
  ];
}

/** Of several that are told of one time, the guest may do what any of them lets it do. null: none is told of it. */
function atOneTime(uses: readonly Use[], time: "live" | "next-boot"): Use | null {
  const then = uses.filter(({ when }) => when === time || when === "both");
  const [first] = then;
  if (first === undefined) return null;
  return {
    ...first,
    when: time,
    format: then.find(({ format }) => format !== null)?.format ?? null,
    isReadOnly: then.every(({ isReadOnly }) => isReadOnly),
    isShareable: then.every(({ isShareable }) => isShareable),
    problem: then.find(({ problem }) => problem !== null)?.problem ?? null,
    isUnknown: then.some(({ isUnknown }) => isUnknown),
  };
}

/** The address is libvirt's to choose, and may be another at each start. */
function isSameDeed(live: Use, next: Use): boolean {
  return (
    live.isReadOnly === next.isReadOnly &&
    live.isShareable === next.isShareable &&
    live.bus === next.bus &&
    (live.format === next.format || live.format === null || next.format === null)
  );
}
