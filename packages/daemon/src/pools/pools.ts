import { type PoolDocument, sanitizePath } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import { unsupported } from "../drivers/index.js";
import type { Job } from "../jobs/job.js";
import type { JobKind, Requester } from "../jobs/job-facts.js";
import type { DocumentParser } from "../parsing/parser.js";
import {
  abandon,
  activate,
  deactivate,
  isReplaced,
  isUnanswered,
  type PoolBackends,
  scanAgain,
  scanInto,
} from "./activation.js";
import type { Autostart } from "./autostart.js";
import type { PoolEvents } from "./events.js";
import { Pool } from "./pool.js";
import {
  checkFlags,
  isBusy,
  poolAlreadyActive,
  poolNoLongerTried,
  poolNotActive,
  poolStarting,
  poolStillActive,
  refuseWhileBusy,
} from "./refusals.js";
import type { PoolRegistry } from "./registry.js";

/** A pool as a client names it: the UUID decides. */
export interface PoolHandle {
  readonly name: string;
  readonly uuid: string;
}

const DEFINE_VALIDATE = 1;
const CREATE_WITH_BUILD = 1;
const CREATE_WITH_BUILD_OVERWRITE = 2;
const CREATE_WITH_BUILD_NO_OVERWRITE = 4;
const CREATE_FLAGS = CREATE_WITH_BUILD | CREATE_WITH_BUILD_OVERWRITE | CREATE_WITH_BUILD_NO_OVERWRITE;
const BUILD_NO_OVERWRITE = 4;
const BUILD_OVERWRITE = 8;

/**
 * The life of pools: define, start, scan, stop, delete, undefine; the order of checks is libvirt's.
 * Each change holds the pool's lock. Flags are libvirt's public ones.
 */
export class Pools {
  readonly registry: PoolRegistry;
  readonly autostart: Autostart;
  readonly #backends: PoolBackends;
  readonly #parser: DocumentParser;
  readonly #events: PoolEvents;

  constructor(
    registry: PoolRegistry,
    backends: PoolBackends,
    parser: DocumentParser,
    events: PoolEvents,
    autostart: Autostart,
  ) {
    this.registry = registry;
    this.autostart = autostart;
    this.#backends = backends;
    this.#parser = parser;
    this.#events = events;
  }

  /** Of the active pools, the one whose target is this path. */
  byTargetPath(path: string): Pool {
    const cleaned = sanitizePath(path);
    for (const pool of this.registry) {
      if (pool.active && pool.live.target.path === cleaned) return pool;
    }
    const also = cleaned === path ? "" : ` (${cleaned})`;
    throw LibvirtError.of(
      ErrorCode.NO_STORAGE_POOL,
      ErrorDomain.STORAGE,
      `no storage pool with matching target path '${path}'${also}`,
    );
  }

  /** Makes the document the pool's persistent definition; an active pool takes it over when it stops. */
  async define(xml: string, flags: number): Promise<Pool> {
    checkFlags(flags, DEFINE_VALIDATE, "storagePoolDefineXML");
    const document = await this.#parser.pool(xml, (flags & DEFINE_VALIDATE) !== 0);
    return this.#withAdmitted(document, async (pool, isNew) => {
      const before = { live: pool.live, pending: pool.pending };
      if (pool.active || pool.starting) pool.pending = document;
      else pool.live = document;
      try {
        await this.#backends.store.saveDefinition(document);
      } catch (error) {
        Object.assign(pool, before);
        if (isNew) this.registry.remove(pool);
        throw error;
      }
      pool.persistent = true;
      this.#events.emit("defined", pool);
    });
  }

  /** Starts a pool by a document that is not kept. */
  async createXml(xml: string, flags: number, requester: Requester): Promise<Pool> {
    checkFlags(flags, CREATE_FLAGS, "storagePoolCreateXML");
    const document = await this.#parser.pool(xml, false);
    return this.#withAdmitted(document, async (pool, isNew) => {
      if (pool.starting) throw poolStarting(pool);
      if (pool.active) {
        throw LibvirtError.of(
          ErrorCode.OPERATION_INVALID,
          ErrorDomain.STORAGE,
          `pool is already active as '${pool.name}'`,
        );
      }
      if (!isNew) {
        pool.pending = pool.live;
        pool.live = document;
      }
      try {
        await this.#buildAndActivate(pool, flags, requester);
      } catch (error) {
        this.#settleInactive(pool);
        throw error;
      }
      this.#events.emit("started", pool);
    });
  }

  async create(handle: PoolHandle, flags: number, requester: Requester): Promise<void> {
    checkFlags(flags, CREATE_FLAGS, "storagePoolCreate");
    await this.#exclusively(handle, async (pool) => {
      if (pool.active) throw poolAlreadyActive(pool);
      try {
        await this.#buildAndActivate(pool, flags, requester);
      } catch (error) {
        this.#settleInactive(pool);
        throw error;
      }
      this.#events.emit("started", pool);
    });
  }

  async build(handle: PoolHandle, flags: number, requester: Requester): Promise<void> {
    await this.#exclusively(handle, async (pool) => {
      if (pool.active) throw poolAlreadyActive(pool);
      await this.#asJob("build", pool, requester, ({ signal }) => this.#build(pool, flags, signal));
      this.#events.emit("created", pool);
    });
  }

  /** A pool that waits for its source is not active, and is refused as such; but it does not wait any more. */
  async destroy(handle: PoolHandle, requester: Requester): Promise<void> {
    const waited = await this.autostart.giveUp(this.registry.resolve(handle));
    await this.#exclusively(handle, async (pool) => {
      if (!pool.active) throw waited ? poolNoLongerTried(pool) : poolNotActive(pool);
      refuseWhileBusy(pool);
      await this.#backends.uses.pool(pool, requester);
      // Work may have begun in it meanwhile.
      refuseWhileBusy(pool);
      await deactivate(pool, this.#backends);
      this.#events.emit("stopped", pool);
      this.#settleInactive(pool);
    });
  }

  /** Removes the storage itself (a directory, a volume group); the definition stays. */
  async delete(handle: PoolHandle, flags: number): Promise<void> {
    await this.#exclusively(handle, async (pool) => {
      if (pool.active) throw poolStillActive(pool);
      refuseWhileBusy(pool);
      const driver = this.#backends.driverOf(pool.live);
      if (driver.delete === undefined) throw unsupported("pool.delete");
      await driver.delete(pool.live, await this.#backends.hostOf(pool.live), flags);
      this.#events.emit("deleted", pool);
    });
  }

  async undefine(handle: PoolHandle): Promise<void> {
    await this.autostart.giveUp(this.registry.resolve(handle));
    await this.#exclusively(handle, async (pool) => {
      if (pool.active) throw poolStillActive(pool);
      refuseWhileBusy(pool);
      if (!pool.persistent) {
        throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `no config file for ${pool.name}`);
      }
      await this.#backends.store.removeDefinition(pool.name);
      this.#events.emit("undefined", pool);
      this.registry.remove(pool);
    });
  }

  /**
   * Looks at the storage again, whatever is under way in it. A scan that fails stops the pool, as in libvirt; one that times
   * out or is cancelled does not, nor one of a pool in which others are at work.
   */
  async refresh(handle: PoolHandle, flags: number, requester: Requester): Promise<void> {
    checkFlags(flags, 0, "storagePoolRefresh");
    await this.#exclusively(handle, async (pool) => {
      if (!pool.active) throw poolNotActive(pool);
      try {
        await this.#asJob("refresh", pool, requester, ({ signal }) => scanInto(pool, this.#backends, signal));
      } catch (error) {
        if (!isUnanswered(error, this.#backends) && !isBusy(pool)) {
          await abandon(pool, this.#backends);
          this.#events.emit("stopped", pool);
          this.#settleInactive(pool);
        }
        throw error;
      }
      this.#events.emit("refresh", pool);
    });
  }

  /** What follows an upload: the pool is scanned in the background. The event is emitted even when the scan fails, as libvirt does. */
  refreshAfterUpload(pool: Pool): void {
    pool.settling = this.#refreshUnwatched(pool).catch((error: unknown) => {
      this.#backends.report.problem("refresh, after an upload,", pool.name, error);
    });
  }

  async #refreshUnwatched(pool: Pool): Promise<void> {
    await pool.lock.run(async () => {
      if (!pool.active || this.#backends.stopping.aborted) return;
      await scanAgain(pool, this.#backends).catch(async (error: unknown) => {
        this.#backends.report.problem("refresh, after an upload,", pool.name, error);
        // Others are at work in the pool: it is not taken away under them.
        if (isUnanswered(error, this.#backends) || isReplaced(error) || isBusy(pool)) return;
        await abandon(pool, this.#backends);
        this.#settleInactive(pool);
      });
      this.#events.emit("refresh", pool);
    });
  }

  async setAutostart(handle: PoolHandle, autostart: boolean): Promise<void> {
    const pool = this.registry.resolve(handle);
    if (!autostart) await this.autostart.giveUp(pool);
    await pool.lock.run(async () => {
      this.#mustExist(pool);
      if (!pool.persistent) {
        throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, "pool has no config file");
      }
      if (pool.autostart === autostart) return;
      await this.#backends.store.setAutostart(pool.name, autostart);
      pool.autostart = autostart;
    });
  }

  async #buildAndActivate(pool: Pool, createFlags: number, requester: Requester): Promise<void> {
    await this.#asJob("start", pool, requester, async ({ signal }) => {
      if (createFlags !== 0) await this.#build(pool, buildFlagsOf(createFlags), signal);
      await activate(pool, this.#backends, signal);
      await this.autostart.settle(pool);
    });
  }

  #asJob(kind: JobKind, pool: Pool, requester: Requester, work: (job: Job) => Promise<void>): Promise<void> {
    return this.#backends.jobs.run({ kind, pool: pool.name, volume: null, requester, isHeavy: false }, work);
  }

  /** A driver without `build` has nothing to do, which is success. */
  async #build(pool: Pool, flags: number, signal: CancelSignal): Promise<void> {
    const driver = this.#backends.driverOf(pool.live);
    await driver.build?.(pool.live, await this.#backends.hostOf(pool.live), flags, signal);
  }

  /** An inactive pool shows its definition; one without a definition is gone. */
  #settleInactive(pool: Pool): void {
    if (pool.persistent) pool.applyPending();
    else this.registry.remove(pool);
  }

  async #exclusively(handle: PoolHandle, change: (pool: Pool) => Promise<void>): Promise<void> {
    const pool = this.registry.resolve(handle);
    if (pool.starting) throw poolStarting(pool);
    await pool.lock.run(async () => {
      this.#mustExist(pool);
      await change(pool);
    });
  }

  /** The pool may have been undefined while this call waited for its turn. */
  #mustExist(pool: Pool): void {
    if (!this.registry.has(pool)) throw this.registry.missing(pool);
  }

  /**
   * Runs `change` with the pool that `document` may redefine, or a new one, under its lock. What was admitted before
   * the wait for the lock is asked again after it.
   */
  async #withAdmitted(document: PoolDocument, change: (pool: Pool, isNew: boolean) => Promise<void>): Promise<Pool> {
    for (;;) {
      const existing = this.registry.admit(document);
      const pool = existing ?? new Pool(document);
      if (existing === undefined) this.registry.add(pool);
      const done = await pool.lock.run(async () => {
        if (existing !== undefined && this.registry.admit(document) !== existing) return false;
        await change(pool, existing === undefined);
        return true;
      });
      if (done) return pool;
    }
  }
}

/** OVERWRITE wins over NO_OVERWRITE when a caller gives both (libvirt's check for that looks at other bits). */
function buildFlagsOf(createFlags: number): number {
  if ((createFlags & CREATE_WITH_BUILD_OVERWRITE) !== 0) return BUILD_OVERWRITE;
  if ((createFlags & CREATE_WITH_BUILD_NO_OVERWRITE) !== 0) return BUILD_NO_OVERWRITE;
  return 0;
}
