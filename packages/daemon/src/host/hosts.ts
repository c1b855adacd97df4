import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { hostLimits } from "../limits.js";
import { handleOf } from "./command-line.js";
import type { Command, CommandResult, Host, RunOptions } from "./host.js";
import { LocalHost } from "./local/local-host.js";
import { localRun } from "./local/local-run.js";
import { firstLinkBy, NativeLane } from "./local/native-lane.js";
import { type Location, locate, type MountTable, MountTableReader, walked } from "./mounts.js";
import { bytesOfPath } from "./names.js";
import { MARKER_VARIABLE } from "./orphans.js";
import { RemoteHosts } from "./remote/remote-hosts.js";
import { ScanThreads } from "./scan.js";

interface RememberedLocation {
  readonly location: Location;
  /** Of another mount table nothing is known. */
  readonly table: MountTable;
  readonly untilMs: number;
}

export interface HostsOptions {
  /** Where commands get private directories while they run; default: a new one below the system's, removed by `close`. */
  readonly temporaryDirectory?: string;
  /** Deadline of a call to storage that can hang. */
  readonly remoteTimeoutMs?: number;
  /** By this (in CISTERN_STATE of their environment) all that is started can be found again, should this process die. */
  readonly marker?: string;
}

/**
 * All homes of storage. `forPath` chooses one by the type of the file system the path lies on, from the kernel's mount
 * table, touching nothing that may hang (`mounts.ts`, `file-system-types.ts`).
 */
export class Hosts {
  readonly #options: HostsOptions;
  readonly #mountTables = new MountTableReader();
  readonly #scans = new ScanThreads();
  readonly #lanes = {
    quick: new NativeLane(threadsOf(hostLimits.quickThreads)),
    bulk: new NativeLane(threadsOf(hostLimits.bulkThreads)),
  };
  readonly #local: LocalHost;
  readonly #remotes: RemoteHosts;
  readonly #locations = new Map<string, RememberedLocation>();
  #temporary: Promise<string> | null = null;

  constructor(options: HostsOptions = {}) {
    this.#options = options;
    const temporaryDirectory = () => this.#temporaryDirectory();
    this.#local = new LocalHost({
      router: { known: (path) => this.#knownHome(path), find: (path) => this.forPath(path) },
      lanes: this.#lanes,
      scans: this.#scans,
      run: (command, runOptions) => this.#run(command, runOptions),
      as: async (path, identity) => {
        const location = await this.locate(path);
        return location.home === "local" ? null : this.#remotes.as(location.mount, identity);
      },
      evidenceAgeNs: hostLimits.evidenceAgeNs,
    });
    this.#remotes = new RemoteHosts({
      callMs: options.remoteTimeoutMs ?? hostLimits.remoteCallMs,
      temporaryDirectory,
      firstLink: firstLinkBy(this.#lanes),
      environment: this.#environment,
      run: (command, runOptions) => this.#run(command, runOptions),
    });
  }

  /** The in-process home: for what needs no storage, such as running a command. */
  get local(): Host {
    return this.#local;
  }

  /** The home of a path. One that does not exist is judged by its nearest existing ancestor. EINVAL: not absolute. */
  async forPath(path: string): Promise<Host> {
    return this.#knownHome(path) ?? this.#homeAt(await this.locate(path));
  }

  /** What `forPath` judges by. Remembered for a moment, at most until the mount table changes. */
  async locate(path: string): Promise<Location> {
    bytesOfPath(path);
    const table = await this.#mountTables.read();
    const known = this.#remembered(path, table);
    if (known !== null) return known;
    const nowMs = performance.now();
    const location = await walked(locate(table, path), firstLinkBy(this.#lanes));
    if (this.#locations.size >= hostLimits.rememberedPaths) this.#locations.clear();
    this.#locations.set(path, { location, table, untilMs: nowMs + hostLimits.pathMemoryMs });
    return location;
  }

  /** Ends all threads and children, those that hang too. Open directories and files are of no use after it. */
  async close(): Promise<void> {
    await Promise.all([
      this.#lanes.bulk.close(),
      ...[this.#scans.close(), this.#remotes.close(), this.#local.close(), this.#mountTables.close()],
    ]);
    await this.#lanes.quick.close();
    const temporary = this.#temporary;
    this.#temporary = null;
    if (temporary !== null) await rm(await temporary, { recursive: true, force: true });
  }

  /** null: it has to be looked for. */
  #knownHome(path: string): Host | null {
    const table = this.#mountTables.known;
    const location = table === null ? null : this.#remembered(path, table);
    return location === null ? null : this.#homeAt(location);
  }

  #homeAt(location: Location): Host {
    return location.home === "local" ? this.#local : this.#remotes.at(location.mount);
  }

  #remembered(path: string, table: MountTable): Location | null {
    const known = this.#locations.get(path);
    return known !== undefined && known.table === table && performance.now() < known.untilMs ? known.location : null;
  }

  async #run(command: Command, options: RunOptions | undefined): Promise<CommandResult> {
    const handles = command.args.map(handleOf);
    const host = handles.find((handle) => handle?.host.home === "remote")?.host;
    if (host !== undefined) return host.run(command, options);
    // It may be the one that unmounts.
    await this.#local.letGo();
    return localRun(command, options, {
      temporaryDirectory: await this.#temporaryDirectory(),
      inactivityMs: hostLimits.commandInactivityMs,
      environment: this.#environment,
    });
  }

  get #environment(): Readonly<Record<string, string>> {
    const { marker } = this.#options;
    return marker === undefined ? {} : { [MARKER_VARIABLE]: marker };
  }

  #temporaryDirectory(): Promise<string> {
    if (this.#options.temporaryDirectory !== undefined) return Promise.resolve(this.#options.temporaryDirectory);
    this.#temporary ??= mkdtemp(`${tmpdir()}/cistern-`);
    return this.#temporary;
  }
}

/** CISTERN_NATIVE_THREADS: fewer, as UV_THREADPOOL_SIZE says it of libuv's. With 1, calls come in an order that repeats. */
function threadsOf(limit: number): number {
  const wanted = Number(process.env["CISTERN_NATIVE_THREADS"]);
  return Number.isInteger(wanted) && wanted > 0 && wanted < limit ? wanted : limit;
}
