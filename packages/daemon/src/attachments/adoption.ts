import { posix } from "node:path";
import { emptySource, type PoolDocument, type PoolSource, type PoolType, writePool } from "@cistern/documents";
import type { Host } from "../host/host.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import { type Cover, coverOf } from "./cover.js";
import type { Attachment, AttachmentRole } from "./model.js";
import { poolNamer } from "./pool-names.js";

/** A pool that would have what guests use outside all pools. */
export interface PoolProposal {
  readonly name: string;
  readonly type: PoolType;
  /** "define": it is to be made by `xml`; "start", "refresh": it is there, and would have it if that were done. */
  readonly action: "define" | "start" | "refresh";
  /** The pool's document. */
  readonly xml: string;
  readonly places: readonly string[];
  /** Names of the guests. */
  readonly domains: readonly string[];
}

export interface AdoptionPlan {
  readonly proposals: readonly PoolProposal[];
  /** What no pool can have, with the reason. */
  readonly left: readonly { readonly place: string; readonly reason: string }[];
}

/** Firmware and kernels belong to packages, shared directories to nobody's pool. */
const ADOPTED: ReadonlySet<AttachmentRole> = new Set<AttachmentRole>([
  "disk",
  "lun",
  "cdrom",
  "floppy",
  "backing",
  "mirror",
  "data-file",
]);

/** What guests use as disks, or below them, and no active pool has. */
export function outsidePools(all: readonly Attachment[]): Attachment[] {
  return all.filter(({ role, volumes }) => ADOPTED.has(role) && volumes.length === 0);
}

/**
 * The fewest pools that would have all of this: one for each directory (a pool has no files of directories below its own), each
 * volume group, each partitioned disk. Looks at the storage, and changes nothing.
 */
export async function planAdoption(
  uses: readonly Attachment[],
  registry: PoolRegistry,
  hostAt: (path: string) => Promise<Host>,
): Promise<AdoptionPlan> {
  const domainsOf = new Map<string, Set<string>>();
  for (const { place, domain } of uses) domainsOf.set(place, (domainsOf.get(place) ?? new Set()).add(domain.name));

  const wanted = new Map<string, { readonly cover: Cover; readonly places: string[] }>();
  const left: { place: string; reason: string }[] = [];
  for (const place of [...domainsOf.keys()].sort()) {
    const cover = await coverOf(place, hostAt);
    if ("reason" in cover) {
      left.push({ place, reason: cover.reason });
      continue;
    }
    const key = JSON.stringify([cover.type, cover.storage]);
    const same = wanted.get(key);
    if (same === undefined) wanted.set(key, { cover, places: [place] });
    else same.places.push(place);
  }

  const nameOf = poolNamer(registry);
  const proposals = [...wanted.values()].map(({ cover, places }) => {
    const domains = [...new Set(places.flatMap((place) => [...(domainsOf.get(place) ?? [])]))].sort();
    const pool = existing(cover, registry);
    if (pool !== null) {
      const action: PoolProposal["action"] = pool.active ? "refresh" : "start";
      return { name: pool.name, type: cover.type, action, xml: writePool(pool.definition), places, domains };
    }
    const document = documentOf(cover, nameOf(cover.wish));
    return {
      name: document.name,
      type: cover.type,
      action: "define" as const,
      xml: writePool(document),
      places,
      domains,
    };
  });
  return { proposals, left };
}

/** The pool that has this storage already; null: none. */
function existing({ type, storage, target }: Cover, registry: PoolRegistry): Pool | null {
  for (const pool of registry) {
    const { source, target: own } = pool.live;
    const isSame =
      type === "dir"
        ? own.path === target
        : pool.live.type === type && (source.name === storage || source.devices.some(({ path }) => path === storage));
    if (isSame) return pool;
  }
  return null;
}

function documentOf({ type, storage, target, format }: Cover, name: string): PoolDocument {
  return {
    type,
    name,
    uuid: crypto.randomUUID(),
    capacityBytes: 0n,
    allocationBytes: 0n,
    availableBytes: 0n,
    copyOnWrite: null,
    source: sourceOf(type, storage, format),
    target: { path: posix.normalize(target), permissions: { mode: null, owner: null, group: null, label: null } },
    refreshVolumeAllocation: null,
    mountOptions: [],
    rbdOptions: [],
  };
}

function sourceOf(type: PoolType, storage: string, format: string | null): PoolSource {
  if (type === "logical") return { ...emptySource(type), name: storage, format };
  if (type === "disk") {
    return { ...emptySource(type), devices: [{ path: storage, partSeparator: null, freeExtents: [] }], format };
  }
  return emptySource(type);
}
