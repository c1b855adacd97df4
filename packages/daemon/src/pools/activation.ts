import { setImmediate as nextTurn } from "node:timers/promises";
import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import type {
  PoolContext,
  PoolScan,
  PoolSecretLookup,
  PoolSizes,
  StorageDriver,
  VolumeChange,
} from "../drivers/driver.js";
import type { Host } from "../host/index.js";
import type { Jobs } from "../jobs/jobs.js";
import { anchoredHost, anchoringHost, type DirectoryIdentity, ESTALE } from "./anchored-host.js";
import type { Pool } from "./pool.js";
import type { PoolStore } from "./store.js";
import { takeSizes } from "./sums.js";
import type { UseGuard } from "./use-guard.js";
import { Volume } from "./volume.js";
import { VolumeTable } from "./volume-table.js";

/** Where failures go that no caller waits for. */
export interface PoolReport {
  /** "could not WHAT pool 'NAME'"; the daemon goes on without it. */
  problem(what: string, pool: string, error: unknown): void;
  /** What the daemon does by itself, for the log. */
  news(text: string, facts: Readonly<Record<string, unknown>>): void;
}

/** What bringing pools up and down needs from the rest of the daemon. */
export interface PoolBackends {
  readonly store: PoolStore;
  /** Throws libvirt's "missing backend" for a type whose driver has not landed. */
  driverOf(pool: PoolDocument): StorageDriver;
  hasDriver(pool: PoolDocument): boolean;
  hostOf(pool: PoolDocument): Promise<Host>;
  /** The home of any absolute path. */
  hostAt(path: string): Promise<Host>;
  readonly report: PoolReport;
  readonly jobs: Jobs;
  /** Secrets of sources. */
  readonly poolSecret: PoolSecretLookup;
  readonly uses: UseGuard;
  /** Undoes what an earlier daemon left in storage that was not there when this one began. Never rejects. */
  undoInterrupted(pool: PoolDocument): Promise<void>;
  /** Ends when the daemon stops. */
  readonly stopping: CancelSignal;
}

/** Volumes put into a new table before the event loop gets a turn: about 2 ms. */
const VOLUMES_PER_TURN = 2_000;

/** Starts the storage, writes the state file, scans. On failure everything is as before; the caller holds the lock. */
export async function activate(pool: Pool, backends: PoolBackends, signal = backends.stopping): Promise<void> {
  const driver = backends.driverOf(pool.live);
  const host = await backends.hostOf(pool.live);
  const before = pool.live;
  pool.starting = true;
  try {
    const started = await driver.start?.(pool.live, host, contextOf(backends, signal));
    pool.made = started?.made ?? [];
    pool.live = started?.pool ?? pool.live;
  } finally {
    pool.starting = false;
  }
  try {
    await backends.store.saveState(pool.live, pool.made);
    await scanInto(pool, backends, signal);
  } catch (error) {
    await abandon(pool, backends);
    pool.live = before;
    throw error;
  }
  pool.active = true;
}

/**
 * Stops the storage and forgets the volumes. From its beginning no work is begun in the pool, which nobody would see any
 * more. The state file goes first: a crash in between leaves a stopped pool.
 */
export async function deactivate(pool: Pool, backends: PoolBackends): Promise<void> {
  const driver = backends.driverOf(pool.live);
  pool.active = false;
  try {
    await backends.store.removeState(pool.name);
    try {
      await stopStorage(driver, pool, backends);
    } catch (error) {
      await backends.store.saveState(pool.live, pool.made);
      throw error;
    }
  } catch (error) {
    pool.active = true;
    throw error;
  }
  becomeInactive(pool);
}

/** A scan that failed takes the pool down; what goes wrong on the way down must not hide why. */
export async function abandon(pool: Pool, backends: PoolBackends): Promise<void> {
  const driver = backends.driverOf(pool.live);
  pool.active = false;
  await Promise.allSettled([backends.store.removeState(pool.name), stopStorage(driver, pool, backends)]);
  becomeInactive(pool);
}

async function stopStorage(driver: StorageDriver, pool: Pool, backends: PoolBackends): Promise<void> {
  const { made } = pool;
  // A daemon that stops does not leave a pool half stopped.
  const context = contextOf(backends, new AbortController().signal);
  await driver.stop?.(pool.live, await backends.hostOf(pool.live), { ...context, made });
}

function contextOf({ poolSecret }: PoolBackends, signal: CancelSignal): PoolContext {
  return { signal, secret: poolSecret };
}

/**
 * Looks at the storage and replaces sizes and volumes in one step; readers see the old ones until then. Before the first look,
 * while nobody can use a volume, what an interrupted job left there is undone.
 */
export async function scanInto(pool: Pool, backends: PoolBackends, signal = backends.stopping): Promise<void> {
  if (!pool.active || pool.isUnseen) await backends.undoInterrupted(pool.live);
  let anchor: DirectoryIdentity | null = null;
  const host = anchoringHost(pool.live, await backends.hostOf(pool.live), (identity) => {
    anchor = identity;
  });
  await scanWith(host, pool, backends, signal);
  pool.anchor = anchor;
}

/** The same without anybody who asked for it: another directory in the place of the last one is not taken for it. */
export async function scanAgain(pool: Pool, backends: PoolBackends): Promise<void> {
  await scanWith(await hostForChanges(pool, backends), pool, backends, backends.stopping);
}

/**
 * After a volume was made or removed, where that changes more than sums. The change itself has been made: when the look fails,
 * that is reported, and the pool stays with what was known. False: the driver has nothing to look for. The caller holds the lock.
 */
export async function scanAfterChange(
  pool: Pool,
  change: VolumeChange["change"],
  backends: PoolBackends,
): Promise<boolean> {
  const { rescan } = backends.driverOf(pool.live);
  if (rescan === undefined) return false;
  const after = { change, known: pool.volumes };
  try {
    const host = await hostForChanges(pool, backends);
    await takeScan(pool, host, backends, () => rescan(pool.live, host, after, backends.stopping), undefined);
  } catch (error) {
    backends.report.problem("refresh, after a volume was changed,", pool.name, error);
  }
  return true;
}

async function scanWith(host: Host, pool: Pool, backends: PoolBackends, signal: CancelSignal): Promise<void> {
  const driver = backends.driverOf(pool.live);
  const measure = driver.measure?.bind(null, pool.live, host, signal);
  await takeScan(pool, host, backends, () => driver.scan(pool.live, host, pool.volumes, signal), measure);
}

async function takeScan(
  pool: Pool,
  host: Host,
  backends: PoolBackends,
  look: () => Promise<PoolScan>,
  measure: (() => Promise<PoolSizes>) | undefined,
): Promise<void> {
  const beganMs = performance.now();
  await watchNewcomers(pool, host, backends);
  pool.changes.scanBegins();
  const { changes } = pool.sums;
  try {
    const scan = await look();
    const table = await tableOf(scan, pool);
    await takeSizes(pool, changes, scan, measure, () => {
      pool.changes.applyTo(table);
      pool.volumes = table;
      pool.isUnseen = false;
      pool.live = scan.pool;
      pool.newcomers.seen(beganMs);
    });
  } finally {
    pool.changes.scanEnded();
  }
}

/** Before anything is listed: what comes later is noticed. Devices come and go by other ways than a directory's entries. */
async function watchNewcomers(pool: Pool, host: Host, backends: PoolBackends): Promise<void> {
  const { path } = pool.live.target;
  if (path === null || backends.driverOf(pool.live).traits.volumeKind !== "file") return;
  // Of what others do on a server the kernel tells nothing, and opening a directory there may take long.
  if (host.home === "remote") {
    pool.newcomers.end();
    return;
  }
  await pool.newcomers.watch(() => host.openDirectory(path));
}

/** The host for changes of the pool's volumes: only in the directory of the last scan. */
export async function hostForChanges(pool: Pool, backends: PoolBackends): Promise<Host> {
  return anchoredHost(pool.live, pool.anchor, await backends.hostOf(pool.live));
}

/**
 * A look that ended without an answer: the storage gave none in time and may answer again, somebody cancelled it, or the
 * daemon stops. Nothing is known to be wrong, and the pool stays, with what was known.
 */
export function isUnanswered(error: unknown, { stopping }: Pick<PoolBackends, "stopping">): boolean {
  const ETIMEDOUT = 110;
  if (stopping.aborted) return true;
  return error instanceof LibvirtError && (error.int1 === ETIMEDOUT || error.code === ErrorCode.OPERATION_ABORTED);
}

/** Another directory lies where the pool's was. What the pool knows is still true of the one it was. */
export function isReplaced(error: unknown): boolean {
  return error instanceof LibvirtError && error.int1 === ESTALE;
}

function becomeInactive(pool: Pool): void {
  pool.active = false;
  pool.isUnseen = false;
  pool.anchor = null;
  pool.made = [];
  pool.newcomers.end();
  pool.volumes = new VolumeTable();
}

/** A volume found again stays the same object: a transfer that is under way holds it. */
async function tableOf(scan: PoolScan, pool: Pool): Promise<VolumeTable> {
  const table = new VolumeTable();
  let added = 0;
  for (const found of scan.volumes) {
    const known = pool.volumes.get(found.document.name);
    if (known?.building === true) pool.changes.hides(known);
    if (known !== undefined && !pool.changes.isNewer(known)) known.update(found);
    table.add(known ?? new Volume(found));
    if (++added % VOLUMES_PER_TURN === 0) await nextTurn();
  }
  return table;
}
