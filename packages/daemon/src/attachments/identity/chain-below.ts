import { isEvidenceOf } from "../../host/index.js";
import type { Chain } from "../../images/chain.js";
import { resolveChain } from "../../images/chain.js";
import type { ChainLink } from "../../images/chain-link.js";
import { HostChainStorage } from "../../images/host-chain-storage.js";
import { imageLimits, limits } from "../../limits.js";
import type { PoolRegistry } from "../../pools/registry.js";
import type { Volume } from "../../pools/volume.js";
import type { AttachmentRole } from "../model.js";
import type { Located, Locator } from "./locator.js";
import type { PathLooks } from "./path-looks.js";

/** A file or remote image below an image. */
export interface BelowImage {
  readonly located: Located;
  readonly role: Extract<AttachmentRole, "backing" | "data-file">;
  readonly format: string | null;
  /** From the image down to this, both left out. */
  readonly through: readonly string[];
}

export interface RealChain {
  readonly below: readonly BelowImage[];
  /** Why what lies further below is not known; null: nothing does. */
  readonly problem: string | null;
}

/** Formats of images that rest on others. */
const CHAINED: ReadonlySet<string> = new Set(["qcow", "qcow2", "qed", "vmdk", "cow"]);

/**
 * What an image really rests on, by its headers. Of a volume whose file is as the last scan of its pool saw it, that is known
 * already: thousands of disks are not opened again.
 */
export class ChainBelow {
  readonly #looks: PathLooks;
  readonly #locator: Locator;
  readonly #pools: PoolRegistry;

  constructor(looks: PathLooks, locator: Locator, pools: PoolRegistry) {
    this.#looks = looks;
    this.#locator = locator;
    this.#pools = pools;
  }

  /** `format`: as the guest's document declares it, which is what the hypervisor goes by. */
  async of(image: Located, format: string | null): Promise<RealChain> {
    const below: BelowImage[] = [];
    const through: string[] = [];
    const seen = new Set([image.identity]);
    let current = image;
    let currentFormat = format;
    while (currentFormat !== null && CHAINED.has(currentFormat) && below.length < imageLimits.chainLinks) {
      const backing = this.#seenBacking(current, currentFormat);
      if (backing === undefined) return this.#read(current, currentFormat, below, through);
      if (backing === null) break;
      current = await this.#locator.path(backing.path);
      if (seen.has(current.identity)) break;
      seen.add(current.identity);
      currentFormat = backing.format;
      below.push({ located: current, role: "backing", format: currentFormat, through: [...through] });
      through.push(current.place);
    }
    return { below, problem: null };
  }

  /** undefined: nobody has seen it as it is now. */
  #seenBacking(
    image: Located,
    format: string,
  ): { readonly path: string; readonly format: string | null } | null | undefined {
    const { facts } = image;
    const volume = this.#volumeOf(image);
    const evidence = volume?.evidence ?? null;
    if (volume === undefined || evidence === null || facts === null || !isEvidenceOf(evidence, facts)) return undefined;
    const { target, backingStore } = volume.document;
    // The extents of vmdk are no backing store, and stand in no document.
    if (target.format !== format || format === "vmdk") return undefined;
    if (backingStore === null) return null;
    const { path } = backingStore;
    return path?.startsWith("/") === true ? { path, format: backingStore.format } : undefined;
  }

  #volumeOf({ realPath, place }: Located): Volume | undefined {
    for (const pool of this.#pools) {
      if (!pool.active) continue;
      const volume = (realPath === null ? undefined : pool.volumes.byPath(realPath)) ?? pool.volumes.byPath(place);
      if (volume !== undefined) return volume;
    }
    return undefined;
  }

  async #read(
    image: Located,
    format: string,
    known: readonly BelowImage[],
    above: readonly string[],
  ): Promise<RealChain> {
    // A missing file says so itself, and remote images are not read.
    if (image.facts === null || image.realPath === null) return { below: known, problem: null };
    const host = await this.#looks.hostAt(image.realPath);
    const storage = new HostChainStorage(host, [], AbortSignal.timeout(limits.attachmentChainMs));
    const start = { path: image.realPath, format, isLuks: false, followsSymlink: false };
    const chain = await resolveChain(start, storage);
    const further = chain.links.slice(1).map(async (link): Promise<BelowImage> => {
      const located = await this.#locate(link);
      const role = link.role === "data" ? "data-file" : "backing";
      return { located, role, format: link.format, through: [...above, ...namesAbove(link, chain)] };
    });
    return { below: [...known, ...(await Promise.all(further))], problem: whyIncomplete(chain) };
  }

  async #locate({ path, place, name }: ChainLink): Promise<Located> {
    if (place === "remote") return this.#locator.remoteName(name);
    return this.#locator.path(path ?? name);
  }
}

/** Of the links between the first and this one. */
function namesAbove(link: ChainLink, { links }: Chain): string[] {
  const names: string[] = [];
  for (let at = link.namedBy; at !== null && at > 0; at = links[at]?.namedBy ?? null) {
    const above = links[at];
    if (above !== undefined) names.unshift(above.path ?? above.name);
  }
  return names;
}

function whyIncomplete({ isComplete, links }: Chain): string | null {
  if (isComplete) return null;
  const problems = links.flatMap(({ path, name, problems: all }) =>
    all.filter(({ kind }) => kind !== "outside").map(({ detail }) => `"${path ?? name}": ${detail}`),
  );
  return `Its chain could not be followed to its end: ${problems.join(" ")}`;
}
