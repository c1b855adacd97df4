import type { Step } from "./script-run.js";
import type { Side } from "./side.js";

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const TIME = /<(atime|mtime|ctime|btime)>\d+(?:\.\d+)?</g;
/** Where libvirt's schemas lie; errors of validation name the schema with its place. */
export const SCHEMAS = "/usr/share/libvirt/schemas/";
/** UUIDs that scripts give; all others are random and are numbered in the order in which they appear. */
const GIVEN_UUID = /^(?:11111111-|5e7a1f0)/;

/**
 * Makes a side's steps comparable: the daemon's own directories get libvirt's names, random UUIDs numbers, times one
 * letter, and names of temporary files lose their random part. Nothing else is touched.
 */
export function normaliseSteps(side: Pick<Side, "root">, steps: readonly Step[]): Step[] {
  const uuids = new Map<string, string>();
  const text = (value: string) => normaliseText(value, side.root, uuids);
  const value = (item: unknown): unknown => {
    if (typeof item === "string") return text(item);
    if (Array.isArray(item)) return item.map(value);
    if (item !== null && typeof item === "object") {
      return Object.fromEntries(Object.entries(item).map(([key, inner]) => [text(key), value(inner)]));
    }
    return item;
  };
  return steps.map((step) => ({ label: step.label, outcome: value(step.outcome) }));
}

function normaliseText(input: string, root: string, uuids: Map<string, string>): string {
  return input
    .replaceAll(`${root}/etc/`, "/etc/libvirt/")
    .replaceAll(`${root}/run/`, "/run/libvirt/")
    .replaceAll("/var/run/libvirt/", "/run/libvirt/")
    .replaceAll(root, "@ROOT@")
    .replaceAll(SCHEMAS, "")
    .replace(UUID, (uuid) => {
      if (GIVEN_UUID.test(uuid)) return uuid;
      const known = uuids.get(uuid) ?? `@UUID${uuids.size + 1}@`;
      uuids.set(uuid, known);
      return known;
    })
    .replace(TIME, (whole, name) => (whole.endsWith(">0<") ? whole : `<${name}>T<`))
    .replace(/(\.secret\.)\w{6}\b/g, "$1XXXXXX");
}
