import { posix } from "node:path";
import { emptySource, type PoolDocument, type PoolSource, type PoolType, writePool } from "@cistern/documents";
import type { Host } from "../host/host.js";
import { limits } from "../limits.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import { type Cover, coverOf } from "./cover.js";
import { natureOf } from "./identity/devices.js";
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

type HostAt = (path: string) => Promise<Host>;

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
  hostAt: HostAt,
): Promise<AdoptionPlan> {
  const domainsOf = new Map<string, Set<string>>();
  for (const { place, domain } of uses) domainsOf.set(place, (domainsOf.get(place) ?? new Set()).add(domain.name));

  const wanted = new Map<string, Wanted>();
  const left: { place: string; reason: string }[] = [];
  for (const place of [...domainsOf.keys()].sort()) {
    const cover = await coverOf(place, hostAt);
    const same = "key" in cover ? wanted.get(cover.key) : undefined;
    const pool = "reason" in cover ? null : (same?.pool ?? (await existing(cover, registry, hostAt)));
    if ("reason" in cover) left.push({ place, reason: cover.reason });
    else if (cover.gone !== null && pool?.active !== false) left.push({ place, reason: cover.gone });
    else if (same !== undefined) same.places.push(place);
    else wanted.set(cover.key, { cover, pool, places: [place] });
  }

  const nameOf = poolNamer(registry);
  const proposals = [...wanted.values()].map(({ cover, pool, places }) => {
    const domains = [...new Set(places.flatMap((place) => [...(domainsOf.get(place) ?? [])]))].sort();
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

interface Wanted {
  readonly cover: Cover;
  /** That has the storage already; null: none. */
  readonly pool: Pool | null;
  readonly places: string[];
}

async function existing(cover: Cover, registry: PoolRegistry, hostAt: HostAt): Promise<Pool | null> {
  for (const pool of registry) {
    if (await hasStorage(pool, cover, hostAt)) return pool;
  }
  return null;
}

async function hasStorage({ live }: Pool, { type, key, storage, target }: Cover, hostAt: HostAt): Promise<boolean> {
  if (type === "dir") return live.target.path === target;
  if (live.type !== type) return false;
  if (type === "logical") return (live.source.name ?? live.name) === storage;
  for (const { path } of live.source.devices) {
    if ((await diskKeyOf(path, hostAt)) === key) return true;
  }
  return false;
}

/** As the cover of a partition of this disk has it; null: there is no such disk. */
async function diskKeyOf(path: string, hostAt: HostAt): Promise<string | null> {
  if (!path.startsWith("/")) return null;
  const host = await hostAt(path);
  const facts = await host.facts(path, { timeoutMs: limits.adoptionLookMs }).catch(() => null);
  if (facts?.kind !== "block") return null;
  return `disk ${(await natureOf(facts.deviceNumber, host)).node}`;
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
