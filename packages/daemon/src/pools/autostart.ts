import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { anyOf } from "../cancel-signal.js";
import { DAEMON_REQUESTER } from "../jobs/job-facts.js";
import { limits } from "../limits.js";
import { activate, type PoolBackends } from "./activation.js";
import type { PoolEvents } from "./events.js";
import type { Pool } from "./pool.js";
import type { PoolRegistry } from "./registry.js";

/**
 * Autostart that does not give up. A server that comes up after its clients, a disk that appears late: the pool is tried again,
 * after seconds first, then after twice as long each time, until its source answers.
 *
 * A start is owed from the moment it is due until the pool runs or an administrator takes it in hand (stops it, undefines it,
 * switches its autostart off). That it is owed stands in the run directory, so that a daemon that is started anew goes on where
 * the last one was; it is gone with the boot, as the marker of the autostart is. A pool that an administrator stopped owes
 * nothing, and is never started by itself.
 */
export class Autostart {
  readonly #registry: PoolRegistry;
  readonly #backends: PoolBackends;
  readonly #events: PoolEvents;
  readonly #pauses: () => AutostartPauses;
  readonly #owed = new Map<Pool, OwedStart>();

  constructor(
    registry: PoolRegistry,
    backends: PoolBackends,
    events: PoolEvents,
    pauses: () => AutostartPauses = () => STANDARD_PAUSES,
  ) {
    this.#registry = registry;
    this.#backends = backends;
    this.#events = events;
    this.#pauses = pauses;
    backends.stopping.addEventListener("abort", () => {
      for (const owed of this.#owed.values()) clearTimeout(owed.timer);
    });
  }

  /** Why a pool that should run does not, and when it is tried next; null: nothing is owed, or nothing was tried yet. */
  failureOf(pool: Pool): AutostartFailure | null {
    const owed = this.#owed.get(pool);
    if (owed?.lastAttemptAt == null || owed.error === null) return null;
    const { attempts, lastAttemptAt, nextAttemptAt, error } = owed;
    return { attempts, lastAttemptAt, nextAttemptAt, error };
  }

  /** From now on a start is owed, also by the next daemon of this boot, until it comes about. `attempts`: in vain so far. */
  async owe(pool: Pool, attempts = 0): Promise<void> {
    if (this.#pauses().longestMs === null) return;
    this.#owed.set(pool, { ...NOTHING_TRIED, attempts, ended: new AbortController() });
    await this.#save(pool, attempts);
  }

  /** Starts the pool if it should run and does not; a failure is told, and tried again. The caller holds the lock. */
  async start(pool: Pool): Promise<void> {
    if (!pool.autostart || pool.active) return this.settle(pool);
    const owed = this.#owed.get(pool) ?? { ...NOTHING_TRIED, ended: new AbortController() };
    this.#owed.set(pool, owed);
    clearTimeout(owed.timer);
    owed.attempt = this.#attempt(pool, owed);
    await owed.attempt;
  }

  /** The pool runs, by whomever: nothing is owed any more. The caller holds the lock. */
  async settle(pool: Pool): Promise<void> {
    const owed = this.#owed.get(pool);
    if (owed === undefined) return;
    clearTimeout(owed.timer);
    this.#owed.delete(pool);
    await this.#backends.store
      .removeOwedStart(pool.name)
      .catch((error: unknown) => this.#backends.report.problem("forget that a start is owed of", pool.name, error));
  }

  /**
   * An administrator takes the pool in hand: it is not tried again. An attempt that is under way is given up, so that nobody
   * waits for a server that does not answer. Before the lock is taken. True: there was something to give up.
   */
  async giveUp(pool: Pool): Promise<boolean> {
    const owed = this.#owed.get(pool);
    if (owed === undefined) return false;
    const reason = `an administrator changed pool '${pool.name}'`;
    owed.ended.abort(LibvirtError.of(ErrorCode.OPERATION_ABORTED, ErrorDomain.STORAGE, reason));
    if (owed.attempt !== null) await atMost(owed.attempt, limits.autostartGiveUpMs);
    await this.settle(pool);
    this.#backends.report.news(`pool '${pool.name}' is not tried again: an administrator took it in hand`, {
      pool: pool.name,
    });
    return true;
  }

  async #attempt(pool: Pool, owed: OwedStart): Promise<void> {
    const { jobs, stopping } = this.#backends;
    owed.nextAttemptAt = null;
    owed.lastAttemptAt = new Date();
    owed.attempts++;
    const description = { kind: "start", pool: pool.name, volume: null, requester: DAEMON_REQUESTER } as const;
    try {
      await jobs.run({ ...description, isHeavy: false }, async (job) => {
        using either = anyOf(job.signal, owed.ended.signal, stopping);
        await activate(pool, this.#backends, either.signal);
      });
      this.#events.emit("started", pool);
      if (owed.error !== null) {
        const facts = { pool: pool.name, attempts: owed.attempts };
        this.#backends.report.news(`pool '${pool.name}' was started at attempt ${owed.attempts}`, facts);
      }
      await this.settle(pool);
    } catch (error) {
      await this.#failed(pool, owed, error);
    } finally {
      owed.attempt = null;
    }
  }

  async #failed(pool: Pool, owed: OwedStart, error: unknown): Promise<void> {
    pool.applyPending();
    if (owed.ended.signal.aborted || this.#backends.stopping.aborted) return;
    owed.error = LibvirtError.from(error);
    this.#backends.report.problem("autostart", pool.name, error);
    // A driver that is missing does not come by waiting.
    if (this.#pauses().longestMs === null || !this.#backends.hasDriver(pool.live)) return this.settle(pool);
    const pauseMs = this.#schedule(pool, owed);
    await this.#save(pool, owed.attempts);
    const seconds = Math.round(pauseMs / 1000);
    this.#backends.report.news(`pool '${pool.name}' is tried again in ${seconds} s`, {
      pool: pool.name,
      attempts: owed.attempts,
      nextAttemptAt: owed.nextAttemptAt,
    });
  }

  #schedule(pool: Pool, owed: OwedStart): number {
    const pauseMs = pauseBefore(owed.attempts + 1, this.#pauses());
    owed.nextAttemptAt = new Date(Date.now() + pauseMs);
    owed.timer = setTimeout(() => void this.#again(pool, owed), pauseMs);
    owed.timer.unref();
    return pauseMs;
  }

  async #again(pool: Pool, owed: OwedStart): Promise<void> {
    const isOver = (): boolean => owed.ended.signal.aborted || this.#backends.stopping.aborted;
    try {
      await pool.lock.run(async () => {
        if (isOver() || this.#owed.get(pool) !== owed) return;
        // What was waited for happened in another way: it was undefined, or the setting was changed.
        if (!this.#registry.has(pool) || this.#pauses().longestMs === null) await this.settle(pool);
        else await this.start(pool);
      });
    } catch {
      // Somebody else is at work in the pool for minutes: that is no attempt.
      if (!isOver() && this.#owed.get(pool) === owed) this.#schedule(pool, owed);
    }
  }

  /** Without the file only the next daemon does not know; this one goes on. */
  async #save(pool: Pool, attempts: number): Promise<void> {
    await this.#backends.store
      .saveOwedStart(pool, attempts)
      .catch((error: unknown) => this.#backends.report.problem("write down that a start is owed of", pool.name, error));
  }
}

/** How long it is waited between attempts. */
export interface AutostartPauses {
  readonly firstMs: number;
  /** null: there is one attempt, as with libvirt. */
  readonly longestMs: number | null;
}

export const STANDARD_PAUSES: AutostartPauses = {
  firstMs: limits.autostartFirstPauseMs,
  longestMs: limits.autostartLongestPauseMs,
};

/** An autostart that has not come about yet. */
export interface AutostartFailure {
  /** Since the boot. */
  readonly attempts: number;
  readonly lastAttemptAt: Date;
  /** null: it is being tried. */
  readonly nextAttemptAt: Date | null;
  /** Of the last attempt that ended. */
  readonly error: LibvirtError;
}

interface OwedStart {
  attempts: number;
  lastAttemptAt: Date | null;
  nextAttemptAt: Date | null;
  error: LibvirtError | null;
  timer: NodeJS.Timeout | undefined;
  /** While one is under way. Never rejects. */
  attempt: Promise<void> | null;
  readonly ended: AbortController;
}

const NOTHING_TRIED = {
  attempts: 0,
  lastAttemptAt: null,
  nextAttemptAt: null,
  error: null,
  timer: undefined,
  attempt: null,
};

/** Pools of one server that came back must not all ask it in one moment. */
const JITTER = 0.2;

/** Twice as long each time, up to the longest, a fifth shorter or longer. `attempt` is counted from 1; the second has the first pause. */
export function pauseBefore(attempt: number, { firstMs, longestMs }: AutostartPauses, random = Math.random()): number {
  const doubled = firstMs * 2 ** Math.max(0, attempt - 2);
  return Math.min(doubled, longestMs ?? doubled) * (1 - JITTER + 2 * JITTER * random);
}

async function atMost(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, patience]);
  clearTimeout(timer);
}
