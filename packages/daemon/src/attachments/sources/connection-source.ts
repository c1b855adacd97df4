import { setTimeout as delay } from "node:timers/promises";
import type { Connection, Domain } from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import { limits } from "../../limits.js";
import { atMost } from "../at-most.js";
import type { KnownDomain, SourceFacts } from "../model.js";
import { inTurns } from "../turns.js";
import { DomainReader } from "./domain-reader.js";
import { type DomainSource, domainKey, type SourceListener } from "./domain-source.js";
import type { ReadDomain } from "./file-source.js";
import type { SourceMemory } from "./source-memory.js";
import { UnusableSource } from "./unusable-source.js";

const CALL = { timeoutMs: limits.sourceCallMs };

/**
 * The guests of a hypervisor, over a connection of its own that only reads. Its events tell of what happens to guests and their
 * devices; definitions, of which no event tells everything, are read again from time to time. A connection that is lost is made
 * again, after pauses that grow.
 */
export class ConnectionSource implements DomainSource {
  readonly #connect: () => Promise<Connection>;
  readonly #memory: SourceMemory;
  readonly #reader: DomainReader;
  readonly #closing = new AbortController();
  /** Guests of which an event told and that are not read yet. */
  readonly #changed = new Map<string, Domain>();
  #following: Promise<void> | null = null;
  #connection: Connection | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(connect: () => Promise<Connection>, memory: SourceMemory, read: ReadDomain) {
    this.#connect = connect;
    this.#memory = memory;
    this.#reader = new DomainReader(memory, read);
  }

  get facts(): SourceFacts {
    return this.#memory.facts;
  }

  async open(listener: SourceListener): Promise<void> {
    await this.#memory.open(listener);
    await new Promise<void>((resolve, reject) => {
      const patience = setTimeout(resolve, limits.sourceFirstMs);
      const answered = (): void => {
        clearTimeout(patience);
        resolve();
      };
      this.#running = this.#run(answered).catch((error: unknown) => {
        clearTimeout(patience);
        this.#memory.silent(messageOf(error));
        reject(error);
      });
    });
  }

  async catchUp(): Promise<void> {
    await this.#following;
  }

  async refresh(domain: Pick<KnownDomain, "name" | "uuid">, signal: AbortSignal): Promise<boolean> {
    const connection = this.#connection;
    if (connection === null) return false;
    try {
      const options = { ...CALL, signal };
      const found =
        domain.uuid === null
          ? await connection.lookupDomain(domain.name, options)
          : await connection.lookupDomainByUuid(domain.uuid, options);
      await this.#reader.read(found, options);
      return true;
    } catch (error) {
      if (!isNoDomain(error)) return false;
      this.#memory.gone(domain);
      return true;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
    await atMost(this.#running, limits.shutdownFlushMs);
    await this.#memory.close();
  }

  /** Until it is closed. Rejects for what is no source, if that is found out at first. */
  async #run(answered: () => void): Promise<void> {
    let pauseMs: number = limits.sourceFirstPauseMs;
    const { signal } = this.#closing;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        const connection = await this.#connect();
        this.#connection = connection;
        await this.#follow(connection, () => {
          pauseMs = limits.sourceFirstPauseMs;
          answered();
        });
      } catch (error) {
        if (error instanceof UnusableSource && isFirst) throw error;
        if (!signal.aborted) this.#memory.silent(messageOf(error));
      }
      this.#connection = null;
      answered();
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, limits.sourceLongestPauseMs);
    }
  }

  /** Until the connection ends, which is an error. */
  async #follow(connection: Connection, answered: () => void): Promise<never> {
    let sweep: NodeJS.Timeout | undefined;
    try {
      await refuseOthers(connection, this.facts.name);
      // Before they are listed, so that nothing that happens meanwhile is missed.
      const events = await connection.domainEvents({}, CALL);
      await this.#readAll(connection);
      this.#memory.answers();
      answered();
      sweep = setInterval(() => void this.#readAll(connection).catch(() => connection.close()), limits.sourceSweepMs);
      sweep.unref();
      for await (const { domain } of events) this.#take(domain);
      throw await connection.closed;
    } finally {
      clearInterval(sweep);
      await connection.close();
    }
  }

  async #readAll(connection: Connection): Promise<void> {
    const domains = await connection.listDomains({}, CALL);
    const listed = new Set(domains.map(({ uuid }) => uuid));
    await inTurns(domains, limits.domainReadsAtOnce, (domain) => this.#reader.read(domain, CALL));
    // Those that came meanwhile are not in the list, and those that went are not there any more.
    const others = this.#memory.domains().filter((domain) => !listed.has(domainKey(domain)));
    await inTurns(others, limits.domainReadsAtOnce, async (domain) => {
      if (!(await this.refresh(domain, this.#closing.signal))) throw new Error("a guest could not be looked up");
    });
  }

  /** Events come faster than guests are read: one reading serves all that came before it. */
  #take(domain: Domain): void {
    this.#changed.set(domain.uuid, domain);
    this.#following ??= this.#readChanged().finally(() => {
      this.#following = null;
    });
  }

  async #readChanged(): Promise<void> {
    for (const [uuid, domain] of this.#changed) {
      this.#changed.delete(uuid);
      // What could not be read is read when the connection is made again.
      await this.#reader.read(domain, CALL).catch(() => this.#connection?.close());
    }
  }
}

/** A daemon of storage has no guests; one of ours would be asked by itself. */
async function refuseOthers(connection: Connection, uri: string): Promise<void> {
  const isCistern = await connection.listJobs({}, CALL).then(
    () => true,
    (error: unknown) => {
      if (isUnsupported(error)) return false;
      throw error;
    },
  );
  if (isCistern) throw new UnusableSource(uri, "it is a Cistern daemon, which has no guests");
  try {
    await connection.listDomains({ active: true }, CALL);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    const type = await connection.hypervisorType(CALL);
    throw new UnusableSource(uri, `its driver "${type}" has no guests`);
  }
}

function isUnsupported(error: unknown): boolean {
  return error instanceof LibvirtError && error.code === ErrorCode.NO_SUPPORT;
}

export function isNoDomain(error: unknown): boolean {
  return error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
