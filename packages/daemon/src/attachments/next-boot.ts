import type { PoolType } from "@cistern/documents";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import { isAtNextBoot, titleOf } from "./attachment.js";
import { type Conflict, conflictOf } from "./conflict.js";
import type { Attachment, KnownDomain } from "./model.js";

/** Their volumes are there only once the pool was started: it mounts, logs in or activates. */
const MADE_BY_START: ReadonlySet<PoolType> = new Set<PoolType>(["fs", "netfs", "vstorage", "iscsi", "logical"]);

/**
 * Volumes that are not there when the host has booted, because nobody starts their pool by itself. Where the guest does without the
 * pool, a file or device that it names by path, nothing knows the volume as one: that is a note, one for each pool.
 */
export function notAtNextBoot(
  all: readonly Attachment[],
  domains: readonly KnownDomain[],
  registry: PoolRegistry,
): Conflict[] {
  const byName = disksByName(domains);
  const unmanaged = new Map<Pool, Attachment[]>();
  const missing = all.flatMap((attachment) => {
    if (!isAtNextBoot(attachment.when)) return [];
    const pools = attachment.volumes.flatMap(({ pool }) => registry.findByName(pool) ?? []);
    const [pool] = pools;
    // Where pools overlap, one that brings it is enough.
    if (pool === undefined || pools.some(isStartedByItself)) return [];
    const needsPool = ({ name, live }: Pool): boolean =>
      MADE_BY_START.has(live.type) || byName.has(keyOf(attachment.domain, attachment.target, name));
    const free = pools.find((one) => !needsPool(one));
    if (free !== undefined) {
      const uses = unmanaged.get(free);
      if (uses === undefined) unmanaged.set(free, [attachment]);
      else uses.push(attachment);
      return [];
    }
    const detail = `'${attachment.domain.name}' needs ${titleOf(attachment)}, but pool '${pool.name}' ${whyOf(pool)}: it will be missing at the next boot`;
    return [conflictOf("missing-at-next-boot", "warning", [attachment], detail)];
  });
  return [...missing, ...[...unmanaged].map(([pool, uses]) => unmanagedIn(pool, uses))];
}

function unmanagedIn(pool: Pool, uses: readonly Attachment[]): Conflict {
  const guests = [...new Set(uses.map(({ domain }) => `'${domain.name}'`))].sort().join(", ");
  const detail = `pool '${pool.name}' ${whyOf(pool)}: what ${guests} uses of it will be there at the next boot, but is no volume and not protected until the pool is started`;
  return conflictOf("missing-at-next-boot", "note", uses, detail);
}

function whyOf({ persistent }: Pool): string {
  return persistent ? "is not started with the host" : "is transient";
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
