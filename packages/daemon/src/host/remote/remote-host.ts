import { hostLimits } from "../../limits.js";
import { handleOf } from "../command-line.js";
import { withDeadline } from "../deadline.js";
import { hostError } from "../errors.js";
import type {
  CallOptions,
  Command,
  CommandArgument,
  CommandResult,
  Directory,
  File,
  FileAccess,
  FileFacts,
  Host,
  Identity,
  MountFacts,
  RunOptions,
} from "../host.js";
import type { LinkReader } from "../links.js";
import { LocalDirectory } from "../local/local-directory.js";
import { LocalFile } from "../local/local-file.js";
import { readMountAt, readRealPath } from "../mounts.js";
import { joinPath } from "../names.js";
import type { ChildRegistry } from "./child-registry.js";
import type { HostResults, SentArgument, SentCommand } from "./messages.js";
import { RemoteChild } from "./remote-child.js";
import { RemoteDirectory } from "./remote-directory.js";
import { RemoteFile } from "./remote-file.js";
import type { RemoteHome } from "./remote-home.js";

export interface RemoteHostOptions {
  /** Deadline of a call. */
  readonly callMs: number;
  /** Where commands get their private directories. */
  readonly temporaryDirectory: () => Promise<string>;
  readonly firstLink: LinkReader;
  /** Added to the children's, and so to that of the commands they run. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs a command that is handed nothing of this storage; absent: the child does. */
  readonly run?: (command: Command, options: RunOptions | undefined) => Promise<CommandResult>;
}

export interface RemoteHostParts extends RemoteHostOptions {
  readonly mountPoint: string;
  readonly registry: ChildRegistry;
  /** Who makes the calls, and setpriv's path; null: this process's user. */
  readonly identity: (Identity & { readonly guard: string }) | null;
  /** The same storage for another user. */
  readonly as: (path: string, identity: Identity) => Promise<Host | null>;
}

/** The home of one mount of storage that can hang: each call is made by a child process, and ends at its deadline. */
export class RemoteHost implements RemoteHome {
  readonly home = "remote";
  readonly #options: RemoteHostParts;
  /** Killed, but not yet vanished. */
  readonly #abandoned = new Set<RemoteChild>();
  #child: RemoteChild | null = null;

  constructor(options: RemoteHostParts) {
    this.#options = options;
  }

  get isInUse(): boolean {
    return this.#child !== null || this.#abandoned.size > 0;
  }

  get callMs(): number {
    return this.#options.callMs;
  }

  get slowCallMs(): number {
    return this.callMs * hostLimits.remoteSlowCallFactor;
  }

  async openDirectory(path: string, options?: CallOptions): Promise<Directory> {
    const child = this.#current();
    const { handle } = await this.#call(child, "openDirectory", `Opening "${path}"`, [path], options);
    return new RemoteDirectory(this, child, handle, path);
  }

  async facts(path: string, options?: CallOptions): Promise<FileFacts> {
    return this.#call(this.#current(), "facts", `Looking at "${path}"`, [path], options);
  }

  async openFile(path: string, access: FileAccess, options?: CallOptions): Promise<File> {
    const child = this.#current();
    const { handle } = await this.#call(child, "openFile", `Opening "${path}"`, [path, access], options);
    return new RemoteFile(this, child, handle, path);
  }

  async makeDirectories(path: string, options?: CallOptions): Promise<void> {
    return this.#call(this.#current(), "makeDirectories", `Making "${path}"`, [path], options);
  }

  async makeDirectory(path: string, mode: number, options?: CallOptions): Promise<void> {
    return this.#call(this.#current(), "makeDirectory", `Making "${path}"`, [path, mode], options);
  }

  async removeDirectory(path: string, options?: CallOptions): Promise<void> {
    return this.#call(this.#current(), "removeDirectory", `Removing "${path}"`, [path], options);
  }

  as(path: string, identity: Identity): Promise<Host | null> {
    return this.#options.as(path, identity);
  }

  /**
   * Runs the command in the child that has its handles open, so that they are inherited. Handles of other processes are
   * opened there through /proc/PID/fd. One that is handed nothing of this storage (and may be there to unmount it) needs
   * no child, which may hang. `timeoutMs` limits the command; this call ends when the child shows no life.
   */
  async run(command: Command, options?: RunOptions): Promise<CommandResult> {
    const owner = command.args.flatMap((argument) => ownerOf(argument) ?? []).find(({ host }) => host === this)?.child;
    const { run, identity } = this.#options;
    if (owner === undefined && identity === null && run !== undefined) return run(command, options);
    const child = owner ?? this.#current();
    const releases: (() => void)[] = [];
    try {
      const args: SentArgument[] = [];
      for (const argument of command.args) args.push(await sentArgument(argument, child, releases));
      const sent: SentCommand = {
        program: command.program,
        args,
        environment: command.environment ?? {},
        leavesRunning: command.leavesRunning ?? false,
        timeoutMs: options?.timeoutMs ?? null,
        inactivityMs: this.slowCallMs,
        outputLimitBytes: options?.outputLimitBytes ?? null,
        input: options?.input ?? null,
        wantsOutput: options?.output !== undefined,
        wantsStart: options?.started !== undefined,
      };
      const timing = {
        // The child speaks up at every sample, whatever the command does.
        timeoutMs: this.callMs + hostLimits.commandSampleMs,
        signal: options?.signal,
      };
      // The child serves it, and answers with what `runCommand` gives.
      return (await child.call({
        target: 0,
        method: "run",
        args: [sent, await this.#options.temporaryDirectory()],
        what: `Running "${command.program}"`,
        ...timing,
        started: options?.started,
        output: options?.output,
      })) as CommandResult;
    } finally {
      for (const release of releases) release();
    }
  }

  mountAt(path: string, options?: CallOptions): Promise<MountFacts | null> {
    return withDeadline("Reading the mount table", readMountAt(path, this.#options.firstLink), this.callMs, options);
  }

  realPath(path: string, options?: CallOptions): Promise<string> {
    return withDeadline("Reading the mount table", readRealPath(path, this.#options.firstLink), this.callMs, options);
  }

  #call<Method extends keyof HostResults>(
    child: RemoteChild,
    method: Method,
    what: string,
    args: readonly unknown[],
    options: CallOptions | undefined,
  ): Promise<HostResults[Method]> {
    const timeoutMs = options?.timeoutMs ?? this.callMs;
    // The child serves the method of this name, and answers as it does.
    return child.call({ target: 0, method, args, what, timeoutMs, signal: options?.signal }) as Promise<
      HostResults[Method]
    >;
  }

  #current(): RemoteChild {
    if (this.#child?.isUsable) return this.#child;
    const { mountPoint, environment, identity, registry } = this.#options;
    if (this.#abandoned.size >= hostLimits.remoteAbandonedPerMount) {
      throw hostError(
        "ETIMEDOUT",
        `"${mountPoint}" does not answer; ${this.#abandoned.size} processes wait for it in the kernel`,
      );
    }
    registry.makeRoom(mountPoint);
    const child: RemoteChild = new RemoteChild({
      storage: mountPoint,
      identity,
      environment,
      ended: () => {
        if (this.#child === child) this.#child = null;
        this.#abandoned.add(child);
        registry.ended(child);
      },
      gone: () => {
        this.#abandoned.delete(child);
        registry.gone(child);
      },
    });
    this.#child = child;
    registry.started(child);
    return child;
  }
}

function ownerOf(argument: CommandArgument): { readonly host: Host; readonly child: RemoteChild } | null {
  const handle = handleOf(argument);
  return handle instanceof RemoteDirectory || handle instanceof RemoteFile
    ? { host: handle.host, child: handle.child }
    : null;
}

async function sentArgument(
  argument: CommandArgument,
  child: RemoteChild,
  releases: (() => void)[],
): Promise<SentArgument> {
  if (typeof argument === "string" || "unshown" in argument) return argument;
  const { before = "", after = "", escapesCommas = false, name } = argument;
  const [kind, shown] =
    "in" in argument ? (["entry", joinPath(argument.in.path, name)] as const) : (["file", argument.file.path] as const);
  const handle = "in" in argument ? argument.in : argument.file;
  const sent = { before, after, escapesCommas, kind, name, shown };
  if (handle instanceof RemoteDirectory || handle instanceof RemoteFile) {
    return { ...sent, at: handle.child === child ? { handle: handle.handle } : await handle.location() };
  }
  if (!(handle instanceof LocalDirectory) && !(handle instanceof LocalFile))
    throw hostError("EBADF", `"${handle.path}" is open elsewhere`);
  const { fd, release } = handle.hold();
  releases.push(release);
  const { device, inode } = await handle.facts();
  return { ...sent, at: { pid: process.pid, fd, device, inode } };
}
