import type { PoolDocument } from "@cistern/documents";
import { Mutex } from "../jobs/mutex.js";
import { limits } from "../limits.js";
import type { DirectoryIdentity } from "./anchored-host.js";
import { Newcomers } from "./newcomers.js";
import { poolBusy } from "./pool-busy.js";
import { PoolSums } from "./sums.js";
import type { Volume } from "./volume.js";
import { VolumeChanges } from "./volume-changes.js";
import { VolumeTable } from "./volume-table.js";

/**
 * A pool while the daemon runs.
 *
 * `live` is the document in force. `pending` is the persistent definition that will take its place when the pool
 * stops (it was redefined, or started by another document, while active). A pool without a definition on disk is
 * transient: it vanishes when it stops.
 *
 * Whoever changes a pool holds `lock` for the whole change. Looking does not take it: between two awaits nothing
 * moves, and a scan replaces `volumes` in one step, so a reader always sees one consistent state, without waiting.
 */
export class Pool {
  live: PoolDocument;
  pending: PoolDocument | null = null;
  persistent = false;
  autostart = false;
  active = false;
  /** The driver is bringing the storage up (a mount, a login), which may take long. */
  starting = false;
  /** Volumes being built, cloned, wiped: while there are any, the pool can be neither stopped nor undefined. */
  jobs = 0;
  /** Volumes that are being uploaded or downloaded, as often as they are: the pool cannot be stopped either. */
  readonly transfers: Volume[] = [];
  /** What happens to volumes while a scan looks at the storage. */
  readonly changes = new VolumeChanges();
  /** What comes into its directory, of whomever. */
  readonly newcomers = new Newcomers();
  /** How the sums of `live` come about. */
  readonly sums = new PoolSums();
  /** The scan that follows an upload: who asks for a volume meanwhile waits for it. Never rejects. */
  settling: Promise<void> = Promise.resolve();
  /** What its start has made in the system and its stop is to take away. */
  made: readonly string[] = [];
  volumes = new VolumeTable();
  /** Active since before this daemon, and nothing is known yet of what is in it: it was not looked at, or gave no answer. */
  isUnseen = false;
  /** The directory of the last scan; null: none was opened, or it is not for us to insist on it. */
  anchor: DirectoryIdentity | null = null;
  readonly lock = new Mutex(limits.poolLockMs, () => poolBusy(this.name));

  constructor(live: PoolDocument) {
    this.live = live;
  }

  get name(): string {
    return this.live.name;
  }
  get uuid(): string {
    return this.live.uuid;
  }
  /** The definition that stays when the pool stops: what the INACTIVE flag shows. */
  get definition(): PoolDocument {
    return this.pending ?? this.live;
  }
  /** What a pool that stopped shows: the redefinition made while it was active. */
  applyPending(): void {
    if (this.pending === null) return;
    this.live = this.pending;
    this.pending = null;
  }
}
