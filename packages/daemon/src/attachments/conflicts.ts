import type { PoolRegistry } from "../pools/registry.js";
import { guestOf, isAtNextBoot, isDrive, isNow, mayWrite, titleOf } from "./attachment.js";
import { type Conflict, conflictOf } from "./conflict.js";
import { formatMismatches } from "./format-mismatches.js";
import type { Attachment, Attachments } from "./model.js";
import { notAtNextBoot } from "./next-boot.js";
import { wholeDiskOf } from "./partitions.js";

/** All that is wrong with how guests use storage, by kind. */
export function findConflicts(attachments: Pick<Attachments, "all" | "domains">, registry: PoolRegistry): Conflict[] {
  const all = attachments.all();
  const known = all.filter(({ identity }) => identity !== null);
  const things = [...groupBy(known, ({ identity }) => identity ?? "").values()].filter((users) => users.length > 1);
  return [
    ...things.flatMap(sharedWriting),
    ...things.flatMap(twiceInOneGuest),
    ...disksAndPartitions(all),
    ...formatMismatches(all, registry),
    ...all.filter(({ problem }) => problem !== null).map(unresolved),
    ...notAtNextBoot(all, attachments.domains(), registry),
  ];
}

function sharedWriting(users: readonly Attachment[]): Conflict[] {
  const guests = groupBy(users, guestOf);
  const [writer] = users.filter(mayWrite);
  // What only holds different things of different guests is written to by none of them as such.
  if (users.every(isContainer)) return [];
  if (guests.size < 2 || writer === undefined || users.every(({ isShareable }) => isShareable)) return [];
  const writers = namesOf(users.filter(mayWrite));
  const readers = namesOf(users).filter((name) => !writers.includes(name));
  const deed =
    writers.length > 1
      ? `${listed(writers)} all write to ${titleOf(writer)}`
      : `${listed(writers)} writes to ${titleOf(writer)}, which ${listed(readers)} reads`;
  const running = [...guests.values()].filter((uses) => uses.some(({ when }) => isNow(when)));
  const isNowSo = running.length > 1 && running.flat().some((use) => mayWrite(use) && isNow(use.when));
  return [
    conflictOf(
      "shared-writing",
      isNowSo ? "error" : "warning",
      users,
      `${deed}, and not all of them call it shareable${isNowSo ? "" : ": they must not run at the same time"}`,
    ),
  ];
}

function twiceInOneGuest(users: readonly Attachment[]): Conflict[] {
  return [...groupBy(users.filter(isDrive), guestOf).values()].flatMap((uses) =>
    [isNow, isAtNextBoot].flatMap((isThen) => {
      const then = uses.filter(({ when }) => isThen(when));
      const targets = [...new Set(then.map(({ target }) => target))].sort();
      const [first] = then;
      if (first === undefined || targets.length < 2 || !then.some(mayWrite)) return [];
      // What is so now and stays so is told once.
      if (isThen === isAtNextBoot && then.every(({ when }) => when === "both")) return [];
      const detail = `'${first.domain.name}' has ${titleOf(first)} as ${targets.join(" and ")} at once`;
      return [conflictOf("twice-in-one-guest", isThen === isNow ? "error" : "warning", then, detail)];
    }),
  );
}

function disksAndPartitions(all: readonly Attachment[]): Conflict[] {
  // That a partition's user uses its disk is no news.
  const places = groupBy(
    all.filter((use) => !isContainer(use)),
    ({ place }) => place,
  );
  return [...places].flatMap(([place, users]) => {
    const disk = wholeDiskOf(place);
    const diskUsers = disk === null ? undefined : places.get(disk);
    if (diskUsers === undefined) return [];
    const both = [...users, ...diskUsers];
    if (!both.some(mayWrite)) return [];
    const isNowSo = [users, diskUsers].every((side) => side.some(({ when }) => isNow(when)));
    const detail = `${listed(namesOf(users))} uses '${place}', which is a part of '${disk}', used by ${listed(namesOf(diskUsers))}`;
    return [conflictOf("disk-and-partition", isNowSo ? "error" : "warning", both, detail)];
  });
}

function unresolved(attachment: Attachment): Conflict {
  const { domain, target, role, place, problem, when } = attachment;
  const detail = `'${domain.name}' uses '${place}' as ${target ?? role}: ${problem}`;
  return conflictOf("unresolved", isNow(when) ? "error" : "warning", [attachment], detail);
}

function isContainer({ role }: Attachment): boolean {
  return role === "container";
}

function namesOf(users: readonly Attachment[]): string[] {
  return [...new Set(users.map(({ domain }) => domain.name))].sort();
}

function listed(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
