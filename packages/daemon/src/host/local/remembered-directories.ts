import { type FileHandle, open, stat } from "node:fs/promises";
import { hostLimits } from "../../limits.js";
import { bytesOfPath } from "../names.js";
import { Descriptor } from "./descriptor.js";
import { directoryFlags } from "./open-flags.js";

/**
 * Directories that were opened by their path and stay open for a moment, because calls on one pool come in bursts. Whoever
 * asks for one again gets it when the path still leads to it: one look at the path instead of opening and closing. What it
 * leads to is compared by device and inode, and an inode number is not given anew while the directory is open; so it is
 * the same directory, whatever was renamed or linked meanwhile (docs/decisions/0010-files-by-handle.md).
 */
export class RememberedDirectories {
  readonly #byPath = new Map<string, Promise<SharedDirectory>>();

  /** The directory at `path`, following symlinks, as `open` would give it. */
  async open(path: string): Promise<Descriptor> {
    const known = this.#byPath.get(path);
    const lease = known === undefined ? null : await leaseIfSame(path, known);
    if (lease !== null) return lease;
    const opening = openShared(path);
    this.#remember(path, opening);
    try {
      const shared = await opening;
      // It may have taken so long that its time is over.
      return shared.lease() ?? new Descriptor(await open(bytesOfPath(path), directoryFlags));
    } catch (failure) {
      if (this.#byPath.get(path) === opening) this.#byPath.delete(path);
      throw failure;
    }
  }

  /** Closes what nobody uses (at `path`, or at all), so that a file system can be unmounted. */
  async forget(path?: string): Promise<void> {
    const paths = path === undefined ? [...this.#byPath.keys()] : [path];
    const opened = paths.flatMap((each) => this.#byPath.get(each) ?? []);
    for (const each of paths) this.#byPath.delete(each);
    await Promise.all(opened.map(endShared));
  }

  #remember(path: string, opening: Promise<SharedDirectory>): void {
    const before = this.#byPath.get(path);
    if (before !== undefined) void endShared(before);
    else if (this.#byPath.size >= hostLimits.rememberedDirectories) void this.forget();
    this.#byPath.set(path, opening);
    const timer = setTimeout(() => {
      if (this.#byPath.get(path) === opening) this.#byPath.delete(path);
      void endShared(opening);
    }, hostLimits.pathMemoryMs);
    timer.unref();
  }
}

async function leaseIfSame(path: string, opening: Promise<SharedDirectory>): Promise<Descriptor | null> {
  const shared = await opening.catch(() => null);
  const lease = shared?.lease();
  if (!shared || !lease) return null;
  const now = await stat(bytesOfPath(path), { bigint: true }).catch(() => null);
  if (now !== null && now.dev === shared.device && now.ino === shared.inode) return lease;
  await lease.close();
  return null;
}

async function openShared(path: string): Promise<SharedDirectory> {
  const handle = await open(bytesOfPath(path), directoryFlags);
  try {
    const { dev, ino } = await handle.stat({ bigint: true });
    return new SharedDirectory(handle, dev, ino);
  } catch (failure) {
    await handle.close();
    throw failure;
  }
}

async function endShared(opening: Promise<SharedDirectory>): Promise<void> {
  await opening.then(
    (shared) => shared.end(),
    () => undefined,
  );
}

/** Closed when its time is over and nobody uses it any more. */
class SharedDirectory {
  readonly device: bigint;
  readonly inode: bigint;
  readonly #handle: FileHandle;
  #leases = 0;
  #isOver = false;
  #closing: Promise<void> | null = null;

  constructor(handle: FileHandle, device: bigint, inode: bigint) {
    this.#handle = handle;
    this.device = device;
    this.inode = inode;
  }

  /** null once its time is over. */
  lease(): Descriptor | null {
    if (this.#isOver) return null;
    this.#leases += 1;
    return new Descriptor(this.#handle, () => {
      this.#leases -= 1;
      return this.#closeIfUnused();
    });
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#closeIfUnused();
  }

  async #closeIfUnused(): Promise<void> {
    if (this.#isOver && this.#leases === 0) this.#closing ??= this.#handle.close();
    await this.#closing;
  }
}
