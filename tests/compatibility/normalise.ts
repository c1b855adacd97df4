import type { Step } from "./script-run.js";
import type { Side } from "./side.js";

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const TIME = /<(atime|mtime|ctime|btime)>\d+(?:\.\d+)?</g;
/** Where libvirt's schemas lie; errors of validation name the schema with its place. */
export const SCHEMAS = "/usr/share/libvirt/schemas/";
/** A race of virsh's own threads about a callback that it has just taken off; on a busy machine it is lost with either daemon. */
const VIRSH_LOST_ITS_RACE = "error: One or more references were leaked after disconnect from the hypervisor\n";
/** LVM's own kind, and in the names that device-mapper makes of the group's and the volume's. */
const LVM_UUID = /\b\w{6}(?:-\w{4}){5}-\w{6}\b|\bLVM-\w{64}\b/g;
/** UUIDs that scripts give; all others are random and are numbered in the order in which they appear. */
const GIVEN_UUID = /^(?:11111111-|5e7a1f0)/;

/**
 * Makes a side's steps comparable: the daemon's own directories get libvirt's names, random UUIDs (and LVM's) numbers, times one
 * letter, names of temporary files lose their random part, and what virsh says of its own race is left out. Nothing else is touched.
 */
export function normaliseSteps(side: Pick<Side, "root">, steps: readonly Step[]): Step[] {
  const uuids = new Map<string, string>();
  const lvmUuids = new Map<string, string>();
  const text = (value: string) =>
    normaliseText(value, side.root, uuids).replace(LVM_UUID, (uuid) => numbered(uuid, "LVM", lvmUuids));
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
  return (
    input
      .replaceAll(`${root}/etc/`, "/etc/libvirt/")
      .replaceAll(`${root}/run/`, "/run/libvirt/")
      .replaceAll("/var/run/libvirt/", "/run/libvirt/")
      .replaceAll(root, "@ROOT@")
      .replaceAll(SCHEMAS, "")
      .replaceAll(VIRSH_LOST_ITS_RACE, "")
      // One directory since Debian 12; libvirt says the name that it was built with.
      .replaceAll(/(?<![\w/])\/(s?bin)\//g, "/usr/$1/")
      .replace(UUID, (uuid) => {
        if (GIVEN_UUID.test(uuid)) return uuid;
        return numbered(uuid, "UUID", uuids);
      })
      .replace(TIME, (whole, name) => (whole.endsWith(">0<") ? whole : `<${name}>T<`))
      .replace(/(\.secret\.)\w{6}\b/g, "$1XXXXXX")
  );
}

function numbered(uuid: string, kind: string, known: Map<string, string>): string {
  const name = known.get(uuid) ?? `@${kind}${known.size + 1}@`;
  known.set(uuid, name);
  return name;
}
