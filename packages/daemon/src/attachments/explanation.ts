import type { Pool } from "../pools/pool.js";
import type { PlacedVolume } from "../volumes/work.js";
import { isAtNextBoot, isNow } from "./attachment.js";
import { doubtsAboutOverlays, doubtsOf, isAnybodyAsked } from "./doubts.js";
import type { Attachment, Attachments } from "./model.js";

/**
 * "in-use": a running guest, another volume or work that is under way needs it; "next-boot": definitions of guests name it, which are not known to run with it;
 * "unused": nobody does; "unknown": nobody is known to, but not everybody could be asked.
 */
export type Verdict = "in-use" | "next-boot" | "unused" | "unknown";

/** Why a volume is what it is to others, and what would become of them without it. */
export interface Explanation {
  readonly verdict: Verdict;
  readonly attachments: readonly Attachment[];
  /** Volumes whose images are built on it, directly. */
  readonly overlays: readonly { readonly pool: string; readonly volume: string }[];
  /** Work that is under way on it. */
  readonly jobs: readonly WorkFacts[];
  /** Why it cannot be deleted now, one sentence each; none: it can. */
  readonly obstacles: readonly string[];
  /** What would break if it were gone, one sentence each. */
  readonly losses: readonly string[];
  /** See `doubtsOf` and `doubtsAboutOverlays`. */
  readonly doubts: readonly string[];
  /** See `isAnybodyAsked`. */
  readonly isAnybodyAsked: boolean;
}

export interface WorkFacts {
  readonly id: number;
  /** "wipe volume 'a.img' of pool 'default'". */
  readonly title: string;
}

export interface Surroundings {
  /** Built on it, directly. */
  readonly overlays: readonly PlacedVolume[];
  /** All of them. */
  readonly pools: Iterable<Pool>;
  readonly jobs: readonly WorkFacts[];
  /** The administrator wants libvirt's way: a volume goes, whatever is built on it. */
  readonly deletesBackingStores: boolean;
  /** The administrator wants volumes to stay that guests are only defined with. */
  readonly refusesDefinedUses: boolean;
}

export function explain(
  { pool, volume }: PlacedVolume,
  attachments: Pick<Attachments, "ofVolume" | "sources" | "unknowns">,
  { overlays, pools, jobs, deletesBackingStores, refusesDefinedUses }: Surroundings,
): Explanation {
  const users = attachments.ofVolume(pool.name, volume.name);
  const unseen = doubtsAboutOverlays(pools);
  const doubts = [...doubtsOf(attachments), ...unseen];
  const names = overlays.map((overlay) => ({ pool: overlay.pool.name, volume: overlay.volume.name }));
  const work = workOn({ pool, volume }, jobs);
  const isInUse = users.some(({ when }) => isNow(when)) || names.length > 0 || work.length > 0;
  return {
    verdict: isInUse ? "in-use" : users.length > 0 ? "next-boot" : doubts.length > 0 ? "unknown" : "unused",
    attachments: users,
    overlays: names,
    jobs,
    obstacles: [
      ...users.filter(({ when }) => refusesDefinedUses || isNow(when)).map(inUseBy),
      ...(deletesBackingStores ? [] : names.map((name) => `volume '${name.pool}/${name.volume}' is built on it`)),
      ...(deletesBackingStores ? [] : unseen),
      ...work,
    ],
    losses: [
      ...users.map(lossOf),
      ...names.map(
        (name) => `volume '${name.pool}/${name.volume}' could not be read any more: it is built on this one`,
      ),
    ],
    doubts,
    isAnybodyAsked: isAnybodyAsked(attachments),
  };
}

/** "guest 'web' (running) uses it as vda". */
function inUseBy({ domain, target, role, through }: Attachment): string {
  const way = through.length === 0 ? "" : ` through ${through.map((link) => `'${link}'`).join(" -> ")}`;
  return `guest '${domain.name}' (${domain.state}) uses it as ${useOf({ target, role })}${way}`;
}

function lossOf({ domain, target, role, when }: Attachment): string {
  const use = useOf({ target, role });
  if (!isNow(when)) return `guest '${domain.name}' could not start any more: its definition names it as ${use}`;
  const next = isAtNextBoot(when) ? ", and could not start any more" : "";
  return `guest '${domain.name}' would lose ${use} while it runs${next}`;
}

/** "vda", "the backing of vda", "nvram". */
function useOf({ target, role }: Pick<Attachment, "target" | "role">): string {
  if (target === null) return role;
  return role === "disk" || role === "lun" || role === "cdrom" || role === "floppy" ? target : `${role} of ${target}`;
}

function workOn({ volume }: PlacedVolume, jobs: readonly WorkFacts[]): string[] {
  const running = jobs.map(({ id, title }) => `job ${id} is under way: ${title}`);
  if (running.length > 0) return running;
  if (volume.building) return ["it is still being built"];
  if (volume.lease.isWritten) return ["its content is being written"];
  return volume.lease.isHeld ? ["its content is being read"] : [];
}
