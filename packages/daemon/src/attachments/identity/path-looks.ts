import { posix } from "node:path";
import { type CallOptions, type FileFacts, type Host, HostError, identityOf } from "../../host/index.js";
import { limits } from "../../limits.js";
import type { Silences } from "./silences.js";
import { nowhere, type Whereabouts } from "./whereabouts.js";

/** ENOENT, ENOTDIR, ENAMETOOLONG: there is no such thing. */
const MISSING = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);

/**
 * Looks where paths lead: what a symlink, a bind mount or a node stands for. It remembers directories, since guests' disks lie side
 * by side, and is of use for a moment only.
 */
export class PathLooks {
  readonly #hostAt: (path: string) => Promise<Host>;
  /** By the directory as it was named: its path without symlinks. */
  readonly #directories = new Map<string, Promise<string>>();
  readonly #silences: Silences;

  constructor(hostAt: (path: string) => Promise<Host>, silences: Silences) {
    this.#hostAt = hostAt;
    this.#silences = silences;
  }

  async hostAt(path: string): Promise<Host> {
    return this.#hostAt(path);
  }

  /** Whether the storage of a path did not answer lately. */
  async isSilent(path: string): Promise<boolean> {
    return this.#silences.isSilent(await this.#hostAt(path), posix.dirname(path));
  }

  /** Never rejects. */
  async at(path: string): Promise<Whereabouts> {
    if (!path.startsWith("/")) return nowhere(path, `"${path}" is no absolute path.`);
    if (path.includes("\0")) return nowhere(path, "The path has a zero byte in it.");
    let realPath = posix.normalize(path);
    try {
      realPath = await this.#realPath(path);
      if (await this.isSilent(realPath))
        return unseen(path, realPath, `The storage of "${realPath}" does not answer.`, true);
      let facts = await this.#look(realPath, posix.dirname(realPath));
      if (facts.kind === "symlink") {
        const host = await this.#hostAt(realPath);
        realPath = await host.realPath(realPath, OPTIONS);
        facts = await host.facts(realPath, OPTIONS);
      }
      return { place: path, identity: identityOf(facts), realPath, facts, problem: null, isUnknown: false };
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (error.code === "ETIMEDOUT") this.#silences.add(await this.#hostAt(realPath), posix.dirname(realPath));
      if (MISSING.has(error.code)) return unseen(path, realPath, `"${realPath}" does not exist.`, false);
      return unseen(path, realPath, `"${realPath}" cannot be looked at: ${error.message}`, true);
    }
  }

  /** The last component may still be a symlink. */
  async #realPath(path: string): Promise<string> {
    const name = posix.basename(path);
    const isPlain = name !== "" && name !== "." && name !== ".." && !path.endsWith("/");
    if (!isPlain) return (await this.#hostAt(path)).realPath(path, OPTIONS);
    const directory = posix.dirname(path);
    let real = this.#directories.get(directory);
    if (real === undefined) {
      real = this.#hostAt(directory).then((host) => host.realPath(directory, OPTIONS));
      this.#directories.set(directory, real);
    }
    return posix.join(await real, name);
  }

  /** Next to others of its directory, which the host keeps open for a moment. */
  async #look(path: string, directory: string): Promise<FileFacts> {
    const host = await this.#hostAt(directory);
    // One trip instead of three.
    if (host.home === "remote" || path === "/") return (await this.#hostAt(path)).facts(path, OPTIONS);
    await using opened = await host.openDirectory(directory, { ...OPTIONS, lazily: true });
    return await opened.lookup(posix.basename(path), { ...OPTIONS, follow: false });
  }
}

const OPTIONS: CallOptions = { timeoutMs: limits.attachmentLookMs };

/** By its name it can still be found again. */
function unseen(place: string, realPath: string, problem: string, isUnknown: boolean): Whereabouts {
  return { place, identity: `path:${realPath}`, realPath, facts: null, problem, isUnknown };
}
