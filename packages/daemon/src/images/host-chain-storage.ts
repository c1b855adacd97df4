import type { CancelSignal } from "../cancel-signal.js";
import { identityOf } from "../host/evidence.js";
import type { Directory, FileFacts, Host } from "../host/host.js";
import { HostError } from "../host/host.js";
import { hostLimits, imageLimits } from "../limits.js";
import type { ChainProblem, ChainProblemKind, PoolPlace } from "./chain-link.js";
import type { ChainStorage, Found, Look, OpenSource } from "./chain-storage.js";

/** A directory in which chains may lead. */
export interface PoolDirectory {
  readonly pool: string;
  readonly path: string;
  /** As the last scan found it; null: look now, if a path leads there by its text. */
  readonly identity: { readonly device: bigint; readonly inode: bigint } | null;
  hasVolume(name: string): boolean;
}

/** The longest path that the kernel takes. */
const LONGEST_PATH = 4_095;

/**
 * Real storage behind a chain. The last component of a path, and every symlink there, is gone through by hand: a file is
 * opened by (open directory, name), without following, and only as what it was when it was looked at.
 */
export class HostChainStorage implements ChainStorage {
  readonly #host: Host;
  readonly #directories: readonly PoolDirectory[];
  readonly #signal: CancelSignal;

  /** `signal`: after it nothing is waited for any more. */
  constructor(host: Host, directories: readonly PoolDirectory[], signal: CancelSignal) {
    this.#host = host;
    this.#directories = directories;
    this.#signal = signal;
  }

  async look(path: string, followsSymlink: boolean): Promise<Look> {
    let current = path;
    let inside: PoolPlace | null = null;
    try {
      for (let links = 0; links <= hostLimits.symlinksInPath; links++) {
        const { parent, name } = splitPath(current);
        if (current.length > LONGEST_PATH) return obstacle(inside, "missing", `The path is ${current.length} long.`);
        if (name === "" || name === "." || name === "..") {
          return obstacle(inside, "special", `"${path}" is a directory.`);
        }
        const directory = await this.#host.openDirectory(parent, this.#options);
        try {
          const owner = await this.#poolOf(await directory.facts(this.#options), parent);
          // A volume that is a symlink is that volume, wherever it leads.
          if (inside?.volume == null) inside = placeIn(owner, name) ?? inside;
          const facts = await directory.lookup(name, { ...this.#options, follow: false });
          if (facts.kind !== "symlink") return await this.#arrived(directory, parent, name, facts, owner, inside);
          const content = await directory.readLink(name, this.#options);
          await directory.close();
          if (!followsSymlink) return obstacle(inside, "special", `"${path}" is a symlink, and was none before.`);
          current = content.startsWith("/") ? content : `${parent}/${content}`;
        } catch (thrown) {
          await directory.close();
          throw thrown;
        }
      }
      return obstacle(inside, "unreadable", `"${path}" leads through too many symlinks.`);
    } catch (thrown) {
      if (!(thrown instanceof HostError)) throw thrown;
      const isMissing = thrown.code === "ENOENT" || thrown.code === "ENOTDIR" || thrown.code === "ENAMETOOLONG";
      if (isMissing) return obstacle(inside, "missing", `"${current}" does not exist.`);
      return obstacle(inside, "unreadable", `"${current}" cannot be looked at: ${thrown.message}`);
    }
  }

  get #options() {
    return { signal: this.#signal };
  }

  /** At an entry that is no symlink. Closes the directory unless the file found there needs it. */
  async #arrived(
    directory: Directory,
    parent: string,
    name: string,
    facts: FileFacts,
    owner: PoolDirectory | null,
    passed: PoolPlace | null,
  ): Promise<Look> {
    const above = owner ?? (await this.#poolAbove(parent));
    const inside = passed ?? (above === null ? null : { pool: above.pool, volume: null });
    const problems: ChainProblem[] = [];
    if (above === null) {
      problems.push({ kind: "outside", detail: `"${parent}/${name}" lies outside of all active pools.` });
    }
    const why = await this.#whySpecial(facts, above, directory);
    if (why === null) return new FoundFile(directory, name, facts, inside, problems, this.#signal);
    await directory.close();
    return { kind: "obstacle", inside, problems: [...problems, { kind: "special", detail: why }] };
  }

  /** null: it may be opened. */
  async #whySpecial({ kind }: FileFacts, above: PoolDirectory | null, directory: Directory): Promise<string | null> {
    if (kind !== "file" && kind !== "block") return `It is a ${kind}, which is not opened.`;
    if (kind === "block" || above !== null) return null;
    // What the kernel makes up in /proc, /sys and the like looks as regular files do, and reading it can have effects.
    const { capacityBytes } = await directory.space(this.#options);
    return capacityBytes === 0n ? "It lies on a file system that stores nothing." : null;
  }

  /** The pool whose directory this is. */
  async #poolOf(facts: FileFacts, path: string): Promise<PoolDirectory | null> {
    for (const candidate of this.#directories) {
      // Other storage is asked only where the path leads there anyway: it may hang.
      const isNamed = path === candidate.path || path.startsWith(`${candidate.path}/`);
      const identity = candidate.identity ?? (isNamed ? await this.#identityOf(candidate.path) : null);
      if (identity?.device === facts.device && identity.inode === facts.inode) return candidate;
    }
    return null;
  }

  /** The pool in a directory below whose own this one is. */
  async #poolAbove(path: string): Promise<PoolDirectory | null> {
    let current = path;
    let below = await this.#identityOf(current);
    for (let up = 0; up < imageLimits.directoriesAbove && below !== null; up++) {
      current = `${current}/..`;
      const facts = await this.#host.facts(current, this.#options).catch(() => null);
      if (facts === null || (facts.device === below.device && facts.inode === below.inode)) return null;
      const owner = await this.#poolOf(facts, current);
      if (owner !== null) return owner;
      below = facts;
    }
    return null;
  }

  async #identityOf(path: string): Promise<PoolDirectory["identity"]> {
    return this.#host.facts(path, this.#options).catch(() => null);
  }
}

class FoundFile implements Found {
  readonly kind: "file" | "block";
  readonly identity: string;
  readonly sizeBytes: bigint;
  readonly allocatedBytes: bigint;
  readonly inside: PoolPlace | null;
  readonly problems: readonly ChainProblem[];
  readonly #directory: Directory;
  readonly #name: string;
  readonly #options: { readonly signal: CancelSignal };

  constructor(
    directory: Directory,
    name: string,
    facts: FileFacts,
    inside: PoolPlace | null,
    problems: readonly ChainProblem[],
    signal: CancelSignal,
  ) {
    this.#directory = directory;
    this.#name = name;
    this.#options = { signal };
    this.kind = facts.kind === "block" ? "block" : "file";
    this.identity = identityOf(facts);
    this.sizeBytes = facts.sizeBytes;
    this.allocatedBytes = facts.allocatedBytes;
    this.inside = inside;
    this.problems = problems;
  }

  async open(): Promise<OpenSource> {
    const file = await this.#directory.open(this.#name, { access: "read", follow: false }, this.#options);
    try {
      const facts = await file.facts(this.#options);
      if (facts.kind !== this.kind || identityOf(facts) !== this.identity) throw new Error("it was replaced meanwhile");
      return {
        sizeBytes: facts.sizeBytes,
        read: (offsetBytes, lengthBytes) => file.read(offsetBytes, lengthBytes, this.#options),
        [Symbol.asyncDispose]: () => file.close(),
      };
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#directory.close();
  }
}

function placeIn(owner: PoolDirectory | null, name: string): PoolPlace | null {
  return owner === null ? null : { pool: owner.pool, volume: owner.hasVolume(name) ? name : null };
}

function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf("/");
  return { parent: slash <= 0 ? "/" : path.slice(0, slash), name: path.slice(slash + 1) };
}

function obstacle(inside: PoolPlace | null, kind: ChainProblemKind, detail: string): Look {
  return { kind: "obstacle", inside, problems: [{ kind, detail }] };
}
