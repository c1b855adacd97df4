import { hostLimits } from "../../limits.js";
import type { DirectoryIdentity } from "../host.js";
import { closeDescriptor, Descriptor, ownDescriptor } from "./descriptor.js";
import type { NativeResult } from "./native-calls.js";
import type { NativeLanes } from "./native-lane.js";

export interface OpenedDirectory {
  readonly descriptor: Descriptor;
  /** null: not looked at. */
  readonly identity: DirectoryIdentity | null;
  /** Whether the path was seen to lead there. */
  readonly isChecked: boolean;
}

/**
 * Directories that were opened by their path and stay open for a moment, because calls on one pool come in bursts. Whoever
 * asks for one again gets it when the path still leads to it: one look at the path instead of opening and closing. What it
 * leads to is compared by device and inode, and an inode number is not given anew while the directory is open; so it is
 * the same directory, whatever was renamed or linked meanwhile (docs/decisions/0010-files-by-handle.md).
 */
export class RememberedDirectories {
  readonly #lanes: NativeLanes;
  readonly #byPath = new Map<string, Promise<SharedDirectory>>();

  constructor(lanes: NativeLanes) {
    this.#lanes = lanes;
  }

  /**
   * The directory at `path`, following symlinks, as `open` would give it. `lazily`: a remembered one without that look; to
   * whom it is given has to look.
   */
  async open(path: string, lazily = false): Promise<OpenedDirectory> {
    const known = this.#byPath.get(path);
    if (known !== undefined) {
      const lease = lazily ? await this.#leaseUnchecked(known) : await this.#leaseIfSame(path, known);
      if (lease !== null) return lease;
    }
    const opening = this.#openShared(path);
    this.#remember(path, opening);
    try {
      const shared = await opening;
      // It may have taken so long that its time is over.
      const lease = shared.lease();
      if (lease !== null) return lease;
      return await openForOne(path, this.#lanes);
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

  async #leaseIfSame(path: string, opening: Promise<SharedDirectory>): Promise<OpenedDirectory | null> {
    const shared = await opening.catch(() => null);
    const lease = shared?.lease();
    if (!shared || !lease) return null;
    const now = await this.#identify(path).catch(() => null);
    if (now !== null && now.device === shared.device && now.inode === shared.inode) return lease;
    await lease.descriptor.close();
    return null;
  }

  async #leaseUnchecked(opening: Promise<SharedDirectory>): Promise<OpenedDirectory | null> {
    const lease = (await opening.catch(() => null))?.lease() ?? null;
    return lease === null ? null : { ...lease, isChecked: false };
  }

  async #openShared(path: string): Promise<SharedDirectory> {
    const { fd, device, inode } = await openDirectory(path, this.#lanes);
    return new SharedDirectory(fd, device, inode, () => closeDescriptor(fd, this.#lanes));
  }

  #identify(path: string): Promise<DirectoryIdentity> {
    return this.#lanes.quick.perform("identify", { path }, `"${path}" cannot be looked at`);
  }

  #remember(path: string, opening: Promise<SharedDirectory>): void {
    const before = this.#byPath.get(path);
    if (before !== undefined) endUnwatched(endShared(before));
    else if (this.#byPath.size >= hostLimits.rememberedDirectories) endUnwatched(this.forget());
    this.#byPath.set(path, opening);
    const timer = setTimeout(() => {
      if (this.#byPath.get(path) === opening) this.#byPath.delete(path);
      endUnwatched(endShared(opening));
    }, hostLimits.pathMemoryMs);
    timer.unref();
  }
}

/** What `path` leads to, following symlinks, for one user. */
export async function openForOne(path: string, lanes: NativeLanes): Promise<OpenedDirectory> {
  const { fd, device, inode } = await openDirectory(path, lanes);
  return { descriptor: ownDescriptor(fd, lanes), identity: { device, inode }, isChecked: true };
}

function openDirectory(path: string, { quick }: NativeLanes): Promise<NativeResult<"openDirectory">> {
  return quick.perform("openDirectory", { path }, `"${path}" cannot be opened`);
}

/** Never rejects: what was opened to be read only has nothing to say when it is closed, but that the daemon ends. */
async function endShared(opening: Promise<SharedDirectory>): Promise<void> {
  await opening.then((shared) => shared.end()).catch(() => undefined);
}

/** Nobody waits for it: the thread that closes may end first, with the process. */
function endUnwatched(ending: Promise<void>): void {
  ending.catch(() => {});
}

/** Closed when its time is over and nobody uses it any more. */
class SharedDirectory {
  readonly device: bigint;
  readonly inode: bigint;
  readonly #fd: number;
  readonly #close: () => Promise<void>;
  #leases = 0;
  #isOver = false;
  #closing: Promise<void> | null = null;

  constructor(fd: number, device: bigint, inode: bigint, close: () => Promise<void>) {
    this.#fd = fd;
    this.#close = close;
    this.device = device;
    this.inode = inode;
  }

  /** null once its time is over. */
  lease(): OpenedDirectory | null {
    if (this.#isOver) return null;
    this.#leases += 1;
    const descriptor = new Descriptor(this.#fd, () => {
      this.#leases -= 1;
      return this.#closeIfUnused();
    });
    return { descriptor, identity: { device: this.device, inode: this.inode }, isChecked: true };
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#closeIfUnused();
  }

  async #closeIfUnused(): Promise<void> {
    if (this.#isOver && this.#leases === 0) this.#closing ??= this.#close();
    await this.#closing;
  }
}
