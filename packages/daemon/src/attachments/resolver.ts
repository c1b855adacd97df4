import type { Host } from "../host/index.js";
import type { PoolRegistry } from "../pools/registry.js";
import { ChainBelow } from "./identity/chain-below.js";
import { type Located, Locator, vhostUserPlace } from "./identity/locator.js";
import { PathLooks } from "./identity/path-looks.js";
import { remotePlace } from "./identity/remote.js";
import type { Silences } from "./identity/silences.js";
import { mergedUses } from "./merged-uses.js";
import type { Attachment, AttachmentRole, AttachmentTime, KnownDomain, MayBeMissing, Reference } from "./model.js";
import { referencesOf } from "./references.js";
import type { Use } from "./use.js";

/** What rests on other images. */
const IMAGES: ReadonlySet<AttachmentRole> = new Set(["disk", "lun", "cdrom", "floppy", "mirror", "nvram"]);

/** All that a guest uses: what its documents name, what that is built on, and what its images really rest on. */
export class Resolver {
  readonly #locator: Locator;
  readonly #chains: ChainBelow;

  /** Of use for a moment only, as `PathLooks`. */
  constructor(hostAt: (path: string) => Promise<Host>, pools: PoolRegistry, silences: Silences) {
    const looks = new PathLooks(hostAt, silences);
    this.#locator = new Locator(looks, pools);
    this.#chains = new ChainBelow(looks, this.#locator, pools);
  }

  /** Never rejects for a reason that lies in a document, or in storage. */
  async usesOf(domain: KnownDomain): Promise<Use[]> {
    const found = await Promise.all(
      timedReferences(domain).map(async ([reference, when]) => this.#usesOf(reference, when)),
    );
    return mergedUses(found.flat());
  }

  async #usesOf(reference: Reference, when: AttachmentTime): Promise<Use[]> {
    const top = withoutFault(await this.#locator.locate(reference.source), reference.mayBeMissing, when);
    const through = reference.through.map(nameOf);
    const chain = IMAGES.has(reference.role) ? await this.#chains.of(top, reference.format) : NO_CHAIN;
    const use = useOf(reference, when, top, through, chain.problem);
    const below = chain.below.map(({ located, role, format, through: links }) => {
      const isReadOnly = role === "backing" || reference.isReadOnly || links.length > 0;
      return useOf({ ...reference, role, format, isReadOnly }, when, located, links, null);
    });
    const all = await Promise.all(
      [
        { use, located: top },
        ...below.map((one, index) => ({ use: one, located: chain.below[index]?.located ?? top })),
      ].map((one) => this.#withParts(one.use, one.located, one.use !== use)),
    );
    return all.flat();
  }

  /** `isBetween`: the device itself stands between what the document names and its parts. */
  async #withParts(device: Use, located: Located, isBetween: boolean): Promise<Use[]> {
    const { parts, problem } = await this.#locator.parts(located);
    const between = isBetween ? [...device.through, device.place] : device.through;
    const uses = parts.map((part) =>
      useOf(
        { ...device, role: part.isContainer ? "container" : device.role, format: null },
        device.when,
        part,
        [...between, ...part.through],
        null,
      ),
    );
    return [problem === null ? device : { ...device, problem, isUnknown: true }, ...uses];
  }
}

const NO_CHAIN = { below: [], problem: null };

/** Something that is known not to be there, where that is as it should be. */
function withoutFault(located: Located, mayBeMissing: MayBeMissing, when: AttachmentTime): Located {
  const isExpected = mayBeMissing === "always" || (mayBeMissing === "before-start" && when === "next-boot");
  return isExpected && !located.isUnknown ? { ...located, problem: null } : located;
}

/** What is named at once and without a look at storage: until more is known, that much is found by its name. */
export function namedUsesOf(domain: KnownDomain): Use[] {
  return timedReferences(domain).map(([reference, when]) => {
    const { source } = reference;
    const place = nameOf(source);
    const realPath = "path" in source ? source.path : null;
    const remote = source.type === "network" ? source : null;
    const named = source.type === "volume" ? { pool: source.pool, volume: source.volume } : null;
    const located = {
      place,
      identity: null,
      realPath,
      facts: null,
      problem: "It is still being looked at.",
      isUnknown: true,
      remote,
      named,
    };
    return useOf(reference, when, located, reference.through.map(nameOf), null);
  });
}

/** What both documents name in the same way is one. */
function timedReferences({ source, live, persistent }: KnownDomain): [Reference, AttachmentTime][] {
  const byText = new Map<string, [Reference, AttachmentTime]>();
  for (const reference of live === null ? [] : referencesOf(live, source)) {
    byText.set(JSON.stringify(reference), [reference, "live"]);
  }
  for (const reference of persistent === null ? [] : referencesOf(persistent, source)) {
    const text = JSON.stringify(reference);
    byText.set(text, [reference, byText.has(text) ? "both" : "next-boot"]);
  }
  return [...byText.values()];
}

function useOf(
  from: Omit<Attachment, "domain" | "when" | "place" | "identity" | "through" | "problem" | "volumes"> | Reference,
  when: AttachmentTime,
  located: Located,
  through: readonly string[],
  problem: string | null,
): Use {
  const { role, format, isReadOnly, isShareable, target, bus, address } = from;
  const { place, identity, realPath, remote, named, isUnknown } = located;
  return {
    ...{ role, format, isReadOnly, isShareable, target, bus, address },
    ...{ when, place, identity, through, realPath, remote, named },
    problem: located.problem ?? problem,
    isUnknown: isUnknown || problem !== null,
  };
}

function nameOf(source: Reference["source"]): string {
  switch (source.type) {
    case "unread":
      return "unknown";
    case "network":
      return remotePlace(source);
    case "volume":
      return `${source.pool}/${source.volume}`;
    case "nvme":
      return `nvme:${source.address}/${source.namespace}`;
    case "vhostuser":
      return vhostUserPlace(source.path);
    case "scsi":
      return `scsi:${source.host}:${source.bus}:${source.target}:${source.unit}`;
    default:
      return source.path ?? "";
  }
}
