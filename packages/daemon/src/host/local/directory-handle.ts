import { hostError } from "../errors.js";
import type { CallOptions, DirectoryIdentity, HostError } from "../host.js";
import type { Descriptor } from "./descriptor.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";
import { PathMoved } from "./native-lane.js";
import type { PathGuard } from "./path-guard.js";
import type { OpenedDirectory } from "./remembered-directories.js";
import type { LocalServices } from "./services.js";

/**
 * The descriptor of an open directory. One that was opened lazily is a remembered one: that the path still leads to it is seen
 * by the first call, in the same trip where that is a native one, and it is opened anew where it does not.
 */
export class DirectoryHandle {
  readonly #services: LocalServices;
  readonly #path: string;
  #descriptor: Descriptor;
  /** Where it is known. */
  #identity: DirectoryIdentity | null;
  /** The only one that it may be; null: it does not matter. */
  #insisted: DirectoryIdentity | null = null;
  /** To be seen before anything is done: whether the path leads to what is open. */
  #guard: PathGuard | null;
  #isClosed = false;

  constructor(services: LocalServices, path: string, { descriptor, identity, isChecked }: OpenedDirectory) {
    this.#services = services;
    this.#path = path;
    this.#descriptor = descriptor;
    this.#identity = identity;
    this.#guard = isChecked || identity === null ? null : { path, ...identity };
  }

  /** Keeps the descriptor open until `release`. EINVAL before the first call on one that was opened lazily. */
  hold(): { readonly fd: number; readonly release: () => void } {
    if (this.#guard !== null) throw hostError("EINVAL", `"${this.#path}" was opened lazily`);
    return this.#descriptor.hold();
  }

  async identity(): Promise<DirectoryIdentity> {
    if (this.#guard !== null) await this.use(async () => {});
    return this.#identity ?? this.#identify(this.#descriptor);
  }

  /** From now on calls fail with ESTALE if it is another directory than this. */
  async insist(identity: DirectoryIdentity): Promise<void> {
    const known = this.#identity;
    // What is open may be another one, and the path lead to the right one by now.
    const isUnsure = known === null || (this.#guard !== null && !isSame(known, identity));
    if (!isSame(isUnsure ? await this.identity() : known, identity)) throw this.#stale();
    this.#insisted = identity;
  }

  /** For what is no native call. */
  use<T>(call: (fd: number) => Promise<T>): Promise<T> {
    return this.#descriptor.use(async (fd) => {
      const guard = this.#guard;
      if (guard === null) return call(fd);
      const { path } = guard;
      const what = `"${path}" cannot be looked at`;
      const now = await this.#services.lanes.quick.perform("identify", { path }, what).catch(() => null);
      if (now !== null && isSame(now, guard)) {
        if (this.#guard === guard) this.#guard = null;
        return call(fd);
      }
      await this.#openAnew(guard);
      return this.#useAnew(call);
    });
  }

  /** A call of the quick lane. */
  perform<Name extends NativeCallName>(
    call: Name,
    args: (fd: number) => NativeArguments<Name>,
    what: string,
    options: CallOptions | undefined,
  ): Promise<NativeResult<Name>> {
    const perform = async (fd: number): Promise<NativeResult<Name>> => {
      const guard = this.#guard;
      try {
        const result = await this.#services.lanes.quick.perform(call, args(fd), what, options?.signal, guard);
        if (this.#guard === guard) this.#guard = null;
        return result;
      } catch (failure) {
        if (!(failure instanceof PathMoved)) throw failure;
        await this.#openAnew(guard);
        return this.#useAnew(perform);
      }
    };
    return this.#descriptor.use(perform);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#descriptor.close();
  }

  /** Who closed it meanwhile closed what was open before: what was opened for this call alone ends with it. */
  #useAnew<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const descriptor = this.#descriptor;
    const result = descriptor.use(call);
    if (this.#isClosed) descriptor.close().catch(() => undefined);
    return result;
  }

  /** In place of what is open: the path leads elsewhere. */
  async #openAnew(guard: PathGuard | null): Promise<void> {
    // Another call may have done it meanwhile.
    if (this.#guard !== guard) return;
    const { descriptor, identity } = await this.#services.openAnew(this.#path);
    const { device, inode } = identity ?? (await this.#identify(descriptor));
    if (this.#insisted !== null && !isSame({ device, inode }, this.#insisted)) {
      descriptor.close().catch(() => undefined);
      throw this.#stale();
    }
    const before = this.#descriptor;
    this.#descriptor = descriptor;
    this.#identity = { device, inode };
    this.#guard = null;
    // Calls that began before may be at work with it.
    before.close().catch(() => undefined);
  }

  async #identify(descriptor: Descriptor): Promise<DirectoryIdentity> {
    const { quick } = this.#services.lanes;
    const what = `"${this.#path}" cannot be looked at`;
    const { device, inode } = await descriptor.use((fd) => quick.perform("factsOfOpen", { fd }, what));
    return { device, inode };
  }

  #stale(): HostError {
    return hostError("ESTALE", `"${this.#path}" is not the directory that it was`);
  }
}

function isSame(one: DirectoryIdentity, other: DirectoryIdentity): boolean {
  return one.device === other.device && one.inode === other.inode;
}
