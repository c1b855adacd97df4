import type { PoolDocument } from "@cistern/documents";
import { abandon, isUnanswered, type PoolBackends, scanInto } from "./activation.js";
import type { Autostart } from "./autostart.js";
import { Pool } from "./pool.js";
import type { PoolRegistry } from "./registry.js";

/**
 * Pools as they were: first those that were active when the last daemon ended, then the definitions, then a look at
 * the storage of each (libvirt calls a pool active whose storage is found usable, even when it was not before), and
 * once per boot the autostart, or what an earlier daemon of this boot did not bring about of it. A pool in trouble is
 * reported and stays inactive; one that hangs delays nobody else.
 *
 * @param unseen is told of a pool that was active and whose storage gave no answer in time
 */
export async function restorePools(
  registry: PoolRegistry,
  backends: PoolBackends,
  autostart: Autostart,
  unseen: (pool: Pool) => void,
): Promise<void> {
  await loadStates(registry, backends);
  await loadDefinitions(registry, backends);
  const due = await findDueStarts(registry, backends, autostart);
  await Promise.all(
    [...registry].map((pool) =>
      pool.lock.run(async () => {
        await findOutWhetherActive(pool, registry, backends);
        if (pool.active && pool.isUnseen) unseen(pool);
        if (due.has(pool)) await autostart.start(pool);
      }),
    ),
  );
}

/** What is owed is written down before the marker: a daemon that dies here leaves it to the next one. */
async function findDueStarts(
  registry: PoolRegistry,
  { store }: PoolBackends,
  autostart: Autostart,
): Promise<ReadonlySet<Pool>> {
  const due = new Set<Pool>();
  if (!(await store.autostartBegan())) {
    for (const pool of registry) if (pool.autostart && !pool.active) due.add(pool);
    await Promise.all([...due].map((pool) => autostart.owe(pool)));
    await store.markAutostart();
    return due;
  }
  for (const [name, { uuid, attempts }] of await store.loadOwedStarts()) {
    const pool = registry.findByName(name);
    if (pool?.uuid === uuid && pool.autostart) {
      due.add(pool);
      await autostart.owe(pool, attempts);
    } else {
      await store.removeOwedStart(name);
    }
  }
  return due;
}

/** SIGHUP: definitions made by hand are taken in, and what should run is started, whatever the marker says. */
export async function reloadPools(registry: PoolRegistry, backends: PoolBackends, autostart: Autostart): Promise<void> {
  await loadDefinitions(registry, backends);
  await Promise.all([...registry].map((pool) => pool.lock.run(() => autostart.start(pool))));
}

async function loadStates(registry: PoolRegistry, backends: PoolBackends): Promise<void> {
  for (const { document, made } of await backends.store.loadStates()) {
    try {
      const existing = registry.admit(document);
      const pool = existing ?? new Pool(document);
      pool.active = true;
      pool.isUnseen = true;
      pool.made = made;
      if (existing === undefined) registry.add(pool);
    } catch (error) {
      backends.report.problem("load the state of", document.name, error);
    }
  }
}

async function loadDefinitions(registry: PoolRegistry, backends: PoolBackends): Promise<void> {
  for (const { document, autostart } of await backends.store.loadDefinitions()) {
    try {
      takeDefinition(registry, document, autostart);
    } catch (error) {
      backends.report.problem("load the definition of", document.name, error);
    }
  }
}

function takeDefinition(registry: PoolRegistry, document: PoolDocument, autostart: boolean): void {
  const existing = registry.admit(document);
  const pool = existing ?? new Pool(document);
  if (existing === undefined) registry.add(pool);
  else if (pool.active || pool.starting) pool.pending = document;
  else pool.live = document;
  pool.persistent = true;
  pool.autostart = autostart;
}

async function findOutWhetherActive(pool: Pool, registry: PoolRegistry, backends: PoolBackends): Promise<void> {
  try {
    pool.active = await isUsable(pool, backends);
    pool.isUnseen = pool.active;
    if (pool.active) await scanInto(pool, backends);
  } catch (error) {
    backends.report.problem("look at the storage of", pool.name, error);
    if (!isUnanswered(error, backends)) await abandon(pool, backends);
  }
  if (pool.active) return;
  if (pool.persistent) pool.applyPending();
  else registry.remove(pool);
}

async function isUsable(pool: Pool, backends: PoolBackends): Promise<boolean> {
  if (!backends.hasDriver(pool.live)) return false;
  return backends.driverOf(pool.live).check(pool.live, await backends.hostOf(pool.live), pool.active);
}
