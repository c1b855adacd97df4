import type { AutostartFailure, Connection, Job, Pool, PoolCommitment, PoolInfo } from "@cistern/client";
import { ErrorCode } from "@cistern/protocol";
import type { Context } from "../context.js";
import { unlessMissing } from "../lookup.js";
import { commandOn, compareNames } from "../output/names.js";
import { ifCistern } from "../own-program.js";
import type { Attention } from "./attention.js";
import { worriesAboutGuests } from "./guests.js";

/** How things stand with a daemon. */
export interface Overview {
  /** As it was named: a socket or a URI. */
  readonly daemon: string;
  readonly pools: readonly PoolHealth[];
  /** Under way; null: the daemon is no Cistern, and cannot tell. */
  readonly jobs: readonly Job[] | null;
  /** The worst first. */
  readonly attention: readonly Attention[];
  /** The command that is likely to be wanted now. */
  readonly next: string;
}

export interface PoolHealth extends PoolInfo {
  readonly name: string;
  readonly autostart: boolean;
  /** Why it does not run although it should; null: it runs, is not wanted, or nobody knows. */
  readonly autostartFailure: AutostartFailure | null;
  readonly commitment: PoolCommitment | null;
}

/** Above it a pool is nearly full: what remains is soon written by sparse images. */
const NEARLY_FULL_PERCENT = 90n;

export async function readOverview(connection: Connection, context: Context): Promise<Overview> {
  const [found, all, guests] = await Promise.all([
    connection.listPools({}, context.call),
    ifCistern(() => connection.listJobs({ ended: true }, context.call)),
    worriesAboutGuests(connection, context),
  ]);
  const read = await Promise.all(found.map((pool) => readHealth(connection, pool, context)));
  const pools = read.filter((pool) => pool !== null).sort((a, b) => compareNames(a.name, b.name));
  const jobs = all === null ? null : all.filter(({ endedAt }) => endedAt === null);
  const worries = [...pools.flatMap(worriesOf), ...guests, ...failedOf(all ?? [], pools)];
  // What a program said, which many errors end with, ends with a line's end.
  const attention = worries.map(({ what, command }) => ({ what: what.trimEnd(), command }));
  return { daemon: context.target, pools, jobs, attention, next: nextCommand(pools, jobs ?? [], attention) };
}

/** null: it was undefined meanwhile. */
function readHealth(connection: Connection, pool: Pool, { call }: Context): Promise<PoolHealth | null> {
  return unlessMissing(ErrorCode.NO_STORAGE_POOL, async () => {
    const [info, autostart] = await Promise.all([pool.info(call), pool.autostart(call)]);
    const isRunning = info.state === "running";
    const [autostartFailure, commitment] = await Promise.all([
      isRunning ? null : ifCistern(() => connection.autostartFailure(pool, call)),
      isRunning ? ifCistern(() => connection.poolCommitment(pool, call)) : null,
    ]);
    return { name: pool.name, ...info, autostart, autostartFailure, commitment };
  });
}

function worriesOf(pool: PoolHealth): readonly Attention[] {
  const { name, state, autostart, autostartFailure, commitment } = pool;
  const worries: Attention[] = [];
  if (autostartFailure !== null) {
    const what = `pool ${name} could not be started by itself: ${autostartFailure.error.message}`;
    worries.push({ what, command: `${commandOn("pool-info", name)} --details` });
  } else if (state === "inactive" && autostart) {
    worries.push({ what: `pool ${name} should run and does not`, command: commandOn("pool-start", name) });
  } else if (state !== "running" && state !== "inactive") {
    worries.push({ what: `pool ${name} is ${state}`, command: commandOn("pool-refresh", name) });
  }
  const used = usedPercent(pool);
  if (used !== null && used >= NEARLY_FULL_PERCENT) {
    worries.push({ what: `pool ${name} is ${used} % full`, command: `${commandOn("vol-list", name)} --details` });
  }
  if (commitment !== null && isOvercommitted(commitment)) {
    const percent = (commitment.promisedBytes * 100n) / commitment.capacityBytes;
    const what = `guests were promised ${percent} % of pool ${name}`;
    worries.push({ what, command: `${commandOn("pool-info", name)} --details` });
  }
  return worries;
}

/** null: it does not run, or has no size. */
export function usedPercent({ state, capacityBytes, allocationBytes }: PoolInfo): bigint | null {
  return state !== "running" || capacityBytes === 0n ? null : (allocationBytes * 100n) / capacityBytes;
}

function isOvercommitted({ promisedBytes, capacityBytes, warnRatio }: PoolCommitment): boolean {
  return warnRatio !== null && capacityBytes > 0n && Number(promisedBytes) > warnRatio * Number(capacityBytes);
}

/** What failed and was not made good since, the latest first. */
function failedOf(jobs: readonly Job[], pools: readonly PoolHealth[]): readonly Attention[] {
  const running = new Set(pools.filter(({ state }) => state === "running").map(({ name }) => name));
  return jobs
    .filter(({ state }) => state === "failed" || state === "interrupted")
    .filter((job) => !(job.kind === "start" && (running.has(job.pool) || job.requester.door === "daemon")))
    .filter((job) => !jobs.some((later) => later.id > job.id && later.state === "done" && isSameWork(job, later)))
    .map(({ id, title, state, error }) => ({
      what: `${title}: ${state}${error === null ? "" : `, ${error.message}`}`,
      command: `cistern job-info ${id}`,
    }))
    .reverse();
}

function isSameWork(a: Job, b: Job): boolean {
  return a.kind === b.kind && a.pool === b.pool && a.volume === b.volume;
}

function nextCommand(pools: readonly PoolHealth[], jobs: readonly Job[], attention: readonly Attention[]): string {
  const [worry] = attention;
  if (worry !== undefined) return worry.command;
  const [job] = jobs;
  if (job !== undefined) return `cistern job-watch ${job.id}`;
  const [pool] = pools;
  if (pool === undefined) return "cistern pool-define-as images dir --target /var/lib/cistern/images";
  const running = pools.find(({ state }) => state === "running");
  if (running === undefined) return commandOn("pool-start", pool.name);
  return commandOn("vol-list", running.name);
}
