import type { PoolType } from "@cistern/documents";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import { isAtNextBoot, titleOf } from "./attachment.js";
import { type Conflict, conflictOf } from "./conflict.js";
import type { Attachment, KnownDomain } from "./model.js";

/** Their volumes are there only once the pool was started: it mounts, logs in or activates. */
const MADE_BY_START: ReadonlySet<PoolType> = new Set<PoolType>(["fs", "netfs", "vstorage", "iscsi", "logical"]);

/** Disks that are not there when the host has booted, because nobody starts their pool by itself. */
export function notAtNextBoot(
  all: readonly Attachment[],
  domains: readonly KnownDomain[],
  registry: PoolRegistry,
): Conflict[] {
  const byName = disksByName(domains);
  return all.flatMap((attachment) => {
    if (!isAtNextBoot(attachment.when) || attachment.volumes.length === 0) return [];
    const pools = attachment.volumes.flatMap(({ pool }) => registry.findByName(pool) ?? []);
    const needsPool = ({ name, live }: Pool): boolean =>
      MADE_BY_START.has(live.type) || byName.has(keyOf(attachment.domain, attachment.target, name));
    // Where pools overlap, one that brings it is enough.
    if (pools.some((pool) => isStartedByItself(pool) || !needsPool(pool))) return [];
    const [pool] = pools;
    if (pool === undefined) return [];
    const why = pool.persistent ? "is not started with the host" : "is transient";
    const detail = `'${attachment.domain.name}' needs ${titleOf(attachment)}, but pool '${pool.name}' ${why}: it will be missing at the next boot`;
    return [conflictOf("missing-at-next-boot", "warning", [attachment], detail)];
  });
}

function isStartedByItself({ persistent, autostart }: Pool): boolean {
  return persistent && autostart;
}

/** Disks whose definitions name a pool instead of a path: libvirt looks it up when the guest starts. */
function disksByName(domains: readonly KnownDomain[]): Set<string> {
  const keys = domains.flatMap((domain) =>
    (domain.persistent?.disks ?? []).flatMap(({ source, target }) =>
      source.type === "volume" ? [keyOf(domain, target, source.pool)] : [],
    ),
  );
  return new Set(keys);
}

function keyOf({ source, name }: Pick<KnownDomain, "source" | "name">, target: string | null, pool: string): string {
  return JSON.stringify([source, name, target, pool]);
}
