import type { DiskSource } from "@cistern/documents";
import { HostError } from "../../host/index.js";
import { limits } from "../../limits.js";
import type { PoolRegistry } from "../../pools/registry.js";
import type { Reference } from "../model.js";
import type { Use } from "../use.js";
import { iscsiNodes, nvmeNode, type Part, partsOf, scsiNode } from "./devices.js";
import type { PathLooks } from "./path-looks.js";
import { iscsiUnit, type NetworkSource, networkSourceOf, remoteIdentity, remotePlace } from "./remote.js";
import { nowhere, type Whereabouts } from "./whereabouts.js";

/** Where a source leads, with what is needed to find its volume. */
export interface Located extends Whereabouts, Pick<Use, "remote" | "named"> {}

/** Something that holds bytes of what was located. */
export interface LocatedPart extends Located {
  /** From there down to this, both left out. */
  readonly through: readonly string[];
  /** It holds other things as well. */
  readonly isContainer: boolean;
}

/** What a device is built on. */
export interface DeviceParts {
  readonly parts: readonly LocatedPart[];
  /** Why there may be more; null: that is all. */
  readonly problem: string | null;
}

/** Finds what documents name, on this host or as a name on other machines' storage. */
export class Locator {
  readonly #looks: PathLooks;
  readonly #pools: PoolRegistry;

  constructor(looks: PathLooks, pools: PoolRegistry) {
    this.#looks = looks;
    this.#pools = pools;
  }

  async locate(source: Reference["source"]): Promise<Located> {
    switch (source.type) {
      case "unread":
        return plainly(nowhere("unknown", source.reason));
      case "network":
        return remotely(source);
      case "volume":
        return this.#volume(source);
      case "nvme":
        return this.#nvme(source.address, source.namespace);
      case "vhostuser":
        return { ...(await this.path(source.path)), place: vhostUserPlace(source.path) };
      case "scsi":
        return this.#scsi(`${source.host}:${source.bus}:${source.target}:${source.unit}`);
      default:
        return this.path(source.path ?? "");
    }
  }

  async path(path: string): Promise<Located> {
    return plainly(await this.#looks.at(path));
  }

  /** As an image's header has it. */
  remoteName(name: string): Located {
    const source = networkSourceOf(name);
    if (source !== null) return { ...remotely(source), place: name };
    return plainly({ ...nowhere(name, ""), identity: name, problem: null, isUnknown: false });
  }

  /**
   * What a device is built on, and so on down, and a disk's partitions; the device of an iSCSI LUN in which this host is logged in.
   */
  async parts(located: Located): Promise<DeviceParts> {
    const found: LocatedPart[] = [];
    let problem: string | null = null;
    const seen = new Set([located.identity]);
    const descend = async (from: Located, through: readonly string[], isInContainer: boolean): Promise<void> => {
      if (through.length >= limits.deviceDepth) return;
      const next = await this.#nextParts(from).catch((error: unknown) => {
        if (!(error instanceof HostError)) throw error;
        problem ??= `What "${from.place}" is built on cannot be looked at: ${error.message}`;
        return [];
      });
      for (const { path, direction } of next) {
        // Of the disk of a partition, the other partitions are somebody else's.
        if (direction === "within" && from !== located) continue;
        const part = await this.path(path);
        if (seen.has(part.identity) || found.length >= limits.deviceParts) continue;
        seen.add(part.identity);
        const isContainer = isInContainer || direction === "around";
        found.push({ ...part, through, isContainer });
        if (direction !== "within") await descend(part, [...through, part.place], isContainer);
      }
    };
    await descend(located, [], false);
    return { parts: found, problem };
  }

  async #nextParts({ facts, remote }: Located): Promise<readonly Part[]> {
    const unit = remote === null ? null : iscsiUnit(remote);
    if (unit !== null) {
      const nodes = await iscsiNodes(unit.target, unit.lun, await this.#looks.hostAt("/sys"));
      return nodes.map((path) => ({ path, direction: "beneath" }));
    }
    if (facts?.kind !== "block") return [];
    return partsOf(facts.deviceNumber, await this.#looks.hostAt("/sys"));
  }

  async #volume(source: Extract<DiskSource, { readonly type: "volume" }>): Promise<Located> {
    const named = { pool: source.pool, volume: source.volume };
    const place = `${source.pool}/${source.volume}`;
    const pool = this.#pools.findByName(source.pool);
    const identity = `volume:${place}`;
    const unseen = (problem: string): Located => ({ ...plainly(nowhere(place, problem)), identity, named });
    if (pool?.active !== true) return unseen(`The pool "${source.pool}" is not active.`);
    const path = pool.volumes.get(source.volume)?.document.target.path;
    if (path == null) return unseen(`There is no volume "${source.volume}" in the pool "${source.pool}".`);
    return path.startsWith("/") ? { ...(await this.path(path)), named } : { ...this.remoteName(path), named };
  }

  async #nvme(address: string, namespace: number): Promise<Located> {
    const place = `nvme:${address}/${namespace}`;
    return this.#byAddress(place, nvmeNode(address, namespace, await this.#looks.hostAt("/sys")), () => {
      // A guest that has the controller to itself has taken it from this host.
      return { ...nowhere(place, ""), identity: place, problem: null, isUnknown: false };
    });
  }

  async #scsi(address: string): Promise<Located> {
    const place = `scsi:${address}`;
    return this.#byAddress(place, scsiNode(address, await this.#looks.hostAt("/sys")), () => {
      const nothing = nowhere(place, `There is no disk at the SCSI address ${address}.`);
      return { ...nothing, identity: place, isUnknown: false };
    });
  }

  async #byAddress(place: string, search: Promise<string | null>, missing: () => Whereabouts): Promise<Located> {
    try {
      const node = await search;
      return node === null ? plainly(missing()) : await this.path(node);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return plainly({ ...nowhere(place, `"${place}" cannot be looked at: ${error.message}`), identity: place });
    }
  }
}

/** The socket's path is no image's: behind it is what another process serves. */
export function vhostUserPlace(path: string): string {
  return `vhost-user:${path}`;
}

function plainly(whereabouts: Whereabouts): Located {
  return { ...whereabouts, remote: null, named: null };
}

function remotely(source: NetworkSource): Located {
  const place = remotePlace(source);
  return {
    place,
    identity: remoteIdentity(source),
    realPath: null,
    facts: null,
    problem: null,
    isUnknown: false,
    remote: source,
    named: null,
  };
}
