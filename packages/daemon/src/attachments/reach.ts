import { posix } from "node:path";
import type { FileFacts, Host } from "../host/host.js";
import { limits } from "../limits.js";
import { type Right, testRight } from "../tools/setpriv.js";
import type { PlacedVolume } from "../volumes/work.js";
import type { HypervisorUser } from "./hypervisor-user.js";

/** Why guests cannot use something, and how that is mended. */
export interface ReachFault {
  readonly path: string;
  /** Of the directory's: which volumes are behind it. */
  readonly volumes: readonly string[];
  /** One sentence for people. */
  readonly detail: string;
  /** What a shell does about it. */
  readonly command: string;
}

/** Bits of a mode, for one of owner, group, others. */
const BITS: Readonly<Record<Right, number>> = { read: 4, write: 2, search: 1 };

/** test's exit status; others mean that it could not be asked. */
const REFUSED = 1;

/** Labels under which SELinux keeps guests out, whatever the mode says. */
const FOREIGN_LABELS = /:(?:default_t|unlabeled_t|user_home_t|user_home_dir_t|admin_home_t|user_tmp_t)(?::|$)/;

/**
 * Whether the hypervisor's user reaches volumes: each directory above them is to be searched, and the file read and written
 * unless libvirt hands it over when a guest starts. Modes are looked at; where they say no, the kernel is asked, which knows of
 * access lists. Remembers directories, so one of these is for one question.
 */
export class Reach {
  readonly #user: HypervisorUser;
  readonly #hostAt: (path: string) => Promise<Host>;
  readonly #directories = new Map<string, Promise<Obstacle | null>>();
  readonly #ways = new Map<string, Promise<Obstacle | null>>();

  constructor(user: HypervisorUser, hostAt: (path: string) => Promise<Host>) {
    this.#user = user;
    this.#hostAt = hostAt;
  }

  /** One fault for each directory and file at which the user is stopped. */
  async faultsOf(volumes: Iterable<PlacedVolume>): Promise<ReachFault[]> {
    const faults = new Map<string, { readonly obstacle: Obstacle; readonly volumes: string[] }>();
    const rest = volumes[Symbol.iterator]();
    const lookAtNext = async (): Promise<void> => {
      for (let next = rest.next(); next.done !== true; next = rest.next()) {
        const { pool, volume } = next.value;
        const { path } = volume.document.target;
        if (path === null || !path.startsWith("/") || volume.building) continue;
        for (const obstacle of await this.#obstaclesOn(path, volume.document.type === "dir")) {
          const same = faults.get(obstacle.path);
          const name = `${pool.name}/${volume.name}`;
          if (same === undefined) faults.set(obstacle.path, { obstacle, volumes: [name] });
          else same.volumes.push(name);
        }
      }
    };
    await Promise.all(Array.from({ length: limits.reachLooksAtOnce }, lookAtNext));
    return [...faults.values()]
      .map(({ obstacle, volumes }) => ({ ...obstacle, volumes: volumes.sort() }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async #obstaclesOn(path: string, isDirectory: boolean): Promise<Obstacle[]> {
    const above = await Promise.all(parentsOf(path).map((directory) => this.#directory(directory)));
    const way = above.every((obstacle) => obstacle === null) ? await this.#way(posix.dirname(path)) : null;
    const own = isDirectory ? await this.#directory(path) : await this.#file(path);
    return [...above, way, own].filter((obstacle) => obstacle !== null);
  }

  /** Symlinks lead through directories that the path does not name: there the kernel alone knows. */
  #way(directory: string): Promise<Obstacle | null> {
    const known = this.#ways.get(directory);
    if (known !== undefined) return known;
    const obstacle = this.#askWay(directory);
    this.#ways.set(directory, obstacle);
    return obstacle;
  }

  async #askWay(directory: string): Promise<Obstacle | null> {
    if ((await this.#ask(await this.#hostAt(directory), directory, "search")) !== REFUSED) return null;
    const detail = `user '${this.#user.name}' does not get to '${directory}': what it leads through keeps it out`;
    return { path: directory, detail, command: `namei -l ${quoted(directory)}` };
  }

  /** null: it could not be asked. */
  async #ask(host: Host, path: string, right: Right): Promise<number | null> {
    const command = testRight(path, right, this.#user);
    const result = await host.run(command, { timeoutMs: limits.reachLookMs }).catch(() => null);
    return result?.exitStatus ?? null;
  }

  #directory(path: string): Promise<Obstacle | null> {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const obstacle = this.#lookAt(path, ["search"]);
    this.#directories.set(path, obstacle);
    return obstacle;
  }

  #file(path: string): Promise<Obstacle | null> {
    return this.#lookAt(path, this.#user.takesOwnership ? [] : ["read", "write"]);
  }

  async #lookAt(path: string, rights: readonly Right[]): Promise<Obstacle | null> {
    const host = await this.#hostAt(path);
    let facts: FileFacts;
    try {
      facts = await host.facts(path, { timeoutMs: limits.reachLookMs });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { path, detail: `'${path}' cannot be looked at: ${reason}`, command: `ls -ld ${quoted(path)}` };
    }
    const missing = await this.#missing(path, facts, rights, host);
    if (missing.length > 0) return this.#obstacle(path, facts, missing);
    const isSearched = rights.includes("search");
    if (!isSearched || facts.label === null || !FOREIGN_LABELS.test(facts.label)) return null;
    return {
      path,
      detail: `'${path}' is labelled ${facts.label}, which guests may not enter`,
      command: `chcon -t virt_image_t ${quoted(path)}`,
    };
  }

  async #missing(path: string, facts: FileFacts, rights: readonly Right[], host: Host): Promise<Right[]> {
    if (this.#user.userId === 0) return [];
    const unsaid = rights.filter((right) => !allows(facts, this.#user, right));
    const refused: Right[] = [];
    for (const right of unsaid) if ((await this.#ask(host, path, right)) !== 0) refused.push(right);
    return refused;
  }

  #obstacle(path: string, facts: FileFacts, missing: readonly Right[]): Obstacle {
    const { name } = this.#user;
    const deed = missing.includes("search") ? "enter" : missing.join(" and ");
    const letters = missing.map((right) => LETTERS[right]).join("");
    const whose = `mode ${facts.mode.toString(8).padStart(4, "0")}, owner ${facts.owner}, group ${facts.group}`;
    return {
      path,
      detail: `user '${name}' may not ${deed} '${path}' (${whose})`,
      command: `setfacl -m u:${name}:${letters} ${quoted(path)}`,
    };
  }
}

type Obstacle = Omit<ReachFault, "volumes">;

const LETTERS: Readonly<Record<Right, string>> = { read: "r", write: "w", search: "x" };

/** The first of owner, group and others that is theirs decides, as in the kernel. */
export function allows(
  { mode, owner, group }: Pick<FileFacts, "mode" | "owner" | "group">,
  { userId, groupIds }: Pick<HypervisorUser, "userId" | "groupIds">,
  right: Right,
): boolean {
  const shift = owner === userId ? 6 : groupIds.includes(group) ? 3 : 0;
  return ((mode >> shift) & BITS[right]) !== 0;
}

/** From the root down, without the path itself. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = posix.dirname(path); at !== "/"; at = posix.dirname(at)) parents.unshift(at);
  return parents;
}

function quoted(path: string): string {
  return /^[\w/.,:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
