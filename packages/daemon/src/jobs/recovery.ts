import type { PoolDocument } from "@cistern/documents";
import { type Directory, type Host, HostError, removeTree } from "../host/index.js";
import { limits } from "../limits.js";
import type { ContentTrace, UnitTrace } from "./job.js";
import type { JobFacts } from "./job-facts.js";
import { decodeRecord, type JournalRecord, type JournalTrace } from "./journal-record.js";

/** What recovery needs of the rest. */
export interface RecoverySurroundings {
  /** The home of any absolute path. */
  hostAt(path: string): Promise<Host>;
  /** Ends what an earlier daemon started and left behind; `stuck`: what sits in the kernel and does not end. */
  endOrphans(): Promise<{ readonly killed: readonly string[]; readonly stuck: readonly string[] }>;
  /** Undoes what is no file; gives what was done, as the end of a sentence. */
  undoUnit(unit: UnitTrace): Promise<string>;
  /** A job that was interrupted, for those who ask what became of it. */
  recall(job: Omit<JobFacts, "id">): void;
  /** For the log. */
  report(text: string, facts: Readonly<Record<string, unknown>>): void;
}

const SLACK_NS = BigInt(limits.recordAliveMs * limits.recordAliveSlack) * 1_000_000n;

type Place = Exclude<JournalTrace, { kind: "child" | "unit" | "device" }>;

/** Of a pool whose storage is there now, and perhaps was not when the daemon began. */
export type ArrivedPool = Pick<PoolDocument, "name" | "type" | "target">;

/**
 * Undoes, or at least names, what an earlier daemon was doing when it died, by the records of its journal. A record that cannot
 * be dealt with now (its storage is not there: at boot nothing is mounted yet) is kept, and tried again when its pool starts.
 */
export class Recovery {
  readonly #journal: Directory;
  readonly #surroundings: RecoverySurroundings;
  /** Those that wait for their storage. What running jobs write is never among them. */
  #kept: readonly KeptRecord[] = [];

  constructor(journal: Directory, surroundings: RecoverySurroundings) {
    this.#journal = journal;
    this.#surroundings = surroundings;
  }

  /**
   * To be done before anything else looks at the storage. First the programs that the earlier daemon had started are made sure
   * to be gone: nobody else may work on what is undone.
   */
  async atStart(): Promise<void> {
    const { endOrphans, report } = this.#surroundings;
    const { killed, stuck } = await endOrphans();
    for (const program of killed) report("a program of an earlier daemon was ended", { program });
    for (const program of stuck) report("a program of an earlier daemon cannot be ended", { program });
    const found: KeptRecord[] = [];
    for (const name of (await this.#journal.names()).filter((each) => each.endsWith(".json")).sort()) {
      const read = await readRecord(this.#journal, name, report);
      if (read === null) continue;
      const { record, aliveNs } = read;
      if (record === "cut off") {
        report("a record that was cut off was removed: what it was for had not begun", { record: name });
        await this.#remove(name);
      } else if (record.trace.kind === "child") {
        await this.#remove(name);
      } else if (stuck.length > 0) {
        const facts = { record: name, ...factsOf(record) };
        report("work of an earlier daemon is not undone while its program is stuck", facts);
      } else {
        found.push({ name, job: record.job, trace: record.trace, aliveNs, told: null });
      }
    }
    await this.#undo(found);
  }

  /** To be done before the pool's volumes are used. Never rejects. */
  async at(pool: ArrivedPool): Promise<void> {
    const due = this.#kept.filter((record) => isIn(pool, record));
    // Whoever comes meanwhile does not do it a second time.
    this.#kept = this.#kept.filter((record) => !due.includes(record));
    await this.#undo(due);
  }

  async #undo(records: readonly KeptRecord[]): Promise<void> {
    const interrupted = new Map<string, { readonly record: KeptRecord; readonly remarks: string[] }>();
    for (const [record, { text, error }] of await this.#outcomesOf(records)) {
      if (error === undefined) await this.#dealtWith(record);
      else this.#kept = [...this.#kept, { ...record, told: text }];
      if (error !== undefined && !isWorthTelling(record, text)) continue;
      this.#surroundings.report(text, { ...factsOf(record), ...(error === undefined ? {} : { err: error }) });
      // Several traces of one job are one story.
      const key = `${record.job.id} ${record.job.startedAt.getTime()}`;
      const known = interrupted.get(key);
      if (known === undefined) interrupted.set(key, { record, remarks: [text] });
      else known.remarks.push(text);
    }
    for (const { record, remarks } of interrupted.values()) {
      this.#surroundings.recall(interruptedJob(record, remarks));
    }
  }

  /** In the order of the records. What lies on different mounts is undone at the same time: a hanging one holds none up. */
  async #outcomesOf(records: readonly KeptRecord[]): Promise<[KeptRecord, Outcome][]> {
    const storage = new RecordedStorage(this.#surroundings.hostAt);
    const outcomes = new Map<KeptRecord, Outcome>();
    const turns = new Map<unknown, Promise<void>>();
    for (const record of records) {
      const { trace } = record;
      const place = "directory" in trace ? await storage.placeOf(trace.directory.path) : trace.kind;
      const before = turns.get(place) ?? Promise.resolve();
      const turn = before.then(async () => void outcomes.set(record, await this.#outcomeOf(record, storage)));
      turns.set(place, turn);
    }
    await Promise.all(turns.values());
    return records.flatMap((record) => {
      const outcome = outcomes.get(record);
      return outcome === undefined ? [] : [[record, outcome]];
    });
  }

  async #outcomeOf(record: KeptRecord, storage: RecordedStorage): Promise<Outcome> {
    const { trace } = record;
    if (trace.kind === "unit") return undoUnitOf(record, trace, this.#surroundings.undoUnit);
    if (trace.kind === "device") return incompleteDevice(record, trace.path);
    return undo(record, trace, storage);
  }

  async #dealtWith({ name, trace }: KeptRecord): Promise<void> {
    await this.#remove(name);
    if (trace.kind !== "content" || trace.sizeBytes === null) return;
    // Were it to come back after a power cut, it would cut what a new upload or a resize has lengthened meanwhile.
    await this.#journal.sync().catch((error: unknown) => {
      this.#surroundings.report("the removal of a record could not be flushed", { err: error });
    });
  }

  async #remove(name: string): Promise<void> {
    await this.#journal.removeFile(name).catch((error: unknown) => {
      this.#surroundings.report("a record could not be removed", { err: error });
    });
  }
}

interface KeptRecord {
  readonly name: string;
  readonly job: JournalRecord["job"];
  readonly trace: Exclude<JournalTrace, { kind: "child" }>;
  /** When its daemon was alive for certain, by the clock of local files. */
  readonly aliveNs: bigint;
  /** Why it could not be dealt with so far. */
  readonly told: string | null;
}

/** Files by where they lie: a pool may lie in what another one mounts. */
function isIn({ name, type, target }: ArrivedPool, { job, trace }: KeptRecord): boolean {
  if (trace.kind === "unit") return trace.poolType === type && job.pool === name;
  if (trace.kind === "device" || target.path === null) return false;
  return `${trace.directory.path}/`.startsWith(`${target.path}/`);
}

/** That something still cannot be done is told once by each daemon, and not for ever. */
function isWorthTelling({ job, told }: KeptRecord, text: string): boolean {
  return text !== told && Date.now() - job.startedAt.getTime() <= limits.journalRecordToldMs;
}

/** null: it cannot be read, or not be understood; it is kept, for what it tells of may lie there. */
async function readRecord(
  journal: Directory,
  name: string,
  report: RecoverySurroundings["report"],
): Promise<{ readonly record: JournalRecord | "cut off"; readonly aliveNs: bigint } | null> {
  try {
    const { modificationNs } = await journal.lookup(name, { follow: false });
    const record = decodeRecord(await journal.readFile(name, limits.journalRecordBytes));
    // A server has a clock of its own.
    if (record !== "foreign") return { record, aliveNs: journal.host.home === "local" ? modificationNs : 0n };
    report("a record that is not understood was left alone", { record: name });
  } catch (error) {
    report("a record could not be read", { record: name, err: error });
  }
  return null;
}

interface Outcome {
  readonly text: string;
  /** It could not be done: it is tried again. */
  readonly error?: unknown;
}

/** Where records lead to. What does not answer is waited for once, however many records and directories it has. */
class RecordedStorage {
  readonly #hostAt: RecoverySurroundings["hostAt"];
  readonly #hosts = new Map<string, Promise<Host>>();
  readonly #silent = new Set<unknown>();

  constructor(hostAt: RecoverySurroundings["hostAt"]) {
    this.#hostAt = hostAt;
  }

  /** Rejects where it was silent before. */
  async hostOf(path: string): Promise<Host> {
    const host = await this.#known(path);
    if (this.#silent.has(placeOf(host, path))) throw new Error("the storage does not answer");
    return host;
  }

  /** By which it is known what answers or hangs together. Never rejects. */
  async placeOf(path: string): Promise<unknown> {
    return await this.#known(path).then(
      (host) => placeOf(host, path),
      () => path,
    );
  }

  async fellSilent(path: string): Promise<void> {
    this.#silent.add(await this.placeOf(path));
  }

  async #known(path: string): Promise<Host> {
    const host = this.#hosts.get(path) ?? this.#hostAt(path);
    this.#hosts.set(path, host);
    return await host;
  }
}

/** All of a mount that another process looks after, and else a directory. */
function placeOf(host: Host, path: string): unknown {
  return host.home === "remote" ? host : path;
}

async function undo(record: KeptRecord, trace: Place, storage: RecordedStorage): Promise<Outcome> {
  const what = `${record.job.title}: interrupted by the end of the daemon`;
  const { path } = trace.directory;
  try {
    return await asWhoMay(path, await storage.hostOf(path), async (host) => {
      await using directory = await host.openDirectory(path);
      const { inode } = await directory.facts();
      if (inode !== trace.directory.inode) {
        // What was there may be mounted later.
        const error = new Error("not the directory of the record");
        return { text: `${what}; '${path}' is another directory now`, error };
      }
      try {
        return { text: `${what}; ${await undoIn(directory, trace, timeOf(record))}` };
      } catch (error) {
        if (isGone(error)) return { text: `${what}; nothing is left of it` };
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof HostError && error.code === "ETIMEDOUT") await storage.fellSilent(path);
    return { text: `${what}; what it left in '${path}' could not be undone`, error };
  }
}

/** A server may refuse root what it lets the directory's owner do. */
async function asWhoMay<T>(path: string, host: Host, work: (host: Host) => Promise<T>): Promise<T> {
  try {
    return await work(host);
  } catch (error) {
    if (!(error instanceof HostError && (error.code === "EACCES" || error.code === "EPERM"))) throw error;
    const { owner, group } = await host.facts(path);
    const other = owner === 0 ? null : await host.as?.(path, { owner, group });
    if (other == null) throw error;
    return work(other);
  }
}

function incompleteDevice({ job }: KeptRecord, path: string): Outcome {
  const what = `${job.title}: interrupted by the end of the daemon`;
  return { text: `${what}; ${incompleteContent(path)}` };
}

function incompleteContent(path: string): string {
  return `the content of '${path}' is incomplete: part of it is old and part is new`;
}

async function undoUnitOf(
  { job }: KeptRecord,
  unit: UnitTrace,
  undoUnit: RecoverySurroundings["undoUnit"],
): Promise<Outcome> {
  const what = `${job.title}: interrupted by the end of the daemon`;
  try {
    return { text: `${what}; ${await undoUnit(unit)}` };
  } catch (error) {
    return { text: `${what}; '${unit.name}' in '${unit.place}' could not be undone`, error };
  }
}

/** Within which a job changed what it changed, with some slack; null: it cannot be told. */
interface Time {
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

function timeOf({ job, aliveNs }: KeptRecord): Time | null {
  // A clock that was ahead then would let everything pass for the job's that was done since.
  if (aliveNs > nanoseconds(Date.now()) + SLACK_NS) return null;
  return { fromNs: nanoseconds(job.startedAt.getTime()) - SLACK_NS, toNs: aliveNs + SLACK_NS };
}

function nanoseconds(ms: number): bigint {
  return BigInt(ms) * 1_000_000n;
}

async function undoIn(directory: Directory, trace: Place, time: Time | null): Promise<string> {
  const path = `${directory.path}/${trace.name}`;
  switch (trace.kind) {
    case "temporary":
      await removeEntry(directory, trace.name);
      return `'${path}' was removed`;
    case "resize": {
      const entry = await directory.lookup(trace.name, { follow: false });
      // What it leads to may be another's by now.
      if (entry.kind === "symlink") return `'${path}' is a symlink, which was not followed`;
      await using file = await directory.open(trace.name, { access: "write", follow: false });
      const { kind, sizeBytes } = await file.facts();
      // Cutting it where it ends frees what was reserved behind its end.
      if (kind === "file") await file.truncate(sizeBytes);
      return `'${path}' has ${sizeBytes} bytes`;
    }
    case "content": {
      const length = await cutBack(directory, trace, time);
      return `${length === null ? "" : `${length}; `}${incompleteContent(path)}`;
    }
  }
}

/** null: there is nothing to say of its length. */
async function cutBack(
  directory: Directory,
  { name, sizeBytes }: ContentTrace,
  time: Time | null,
): Promise<string | null> {
  const { kind } = await directory.lookup(name, { follow: false });
  if (sizeBytes === null || kind !== "file") return null;
  await using file = await directory.open(name, { access: "write", follow: false });
  const found = await file.facts();
  if (found.sizeBytes <= sizeBytes) return null;
  const path = `${directory.path}/${name}`;
  // Not mtime: that of a file which was put in its place may be old. What was changed before the job began is a file of another
  // file system, or of a snapshot that was gone back to: the directory's number alone does not tell them apart.
  if (time === null || found.changeNs < time.fromNs || found.changeNs > time.toNs) {
    return `'${path}' has ${found.sizeBytes} bytes, and had ${sizeBytes} before; it may have been changed otherwise, and is left as it is`;
  }
  await file.truncate(sizeBytes);
  await file.sync();
  return `'${path}' was cut back to ${sizeBytes} bytes`;
}

async function removeEntry(directory: Directory, name: string): Promise<void> {
  const { kind } = await directory.lookup(name, { follow: false });
  if (kind === "directory") await removeTree(directory, name);
  else await directory.removeFile(name);
  await directory.sync();
}

function isGone(error: unknown): boolean {
  return error instanceof HostError && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function factsOf({ job, trace }: Pick<JournalRecord, "job" | "trace">): Readonly<Record<string, unknown>> {
  return { job: job.kind, pool: job.pool, volume: job.volume, left: trace.kind, startedAt: job.startedAt };
}

function interruptedJob({ job }: KeptRecord, remarks: readonly string[]): Omit<JobFacts, "id"> {
  return {
    kind: job.kind,
    pool: job.pool,
    volume: job.volume,
    source: null,
    title: job.title,
    requester: job.requester,
    state: "interrupted",
    createdAt: job.startedAt,
    startedAt: job.startedAt,
    endedAt: new Date(),
    doneBytes: 0n,
    totalBytes: 0n,
    bytesPerSecond: 0,
    remainingSeconds: 0,
    bandwidthBytesPerSecond: null,
    way: null,
    remarks,
    error: null,
  };
}
