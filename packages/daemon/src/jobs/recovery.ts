import { type Directory, type Host, HostError, removeTree } from "../host/index.js";
import { limits } from "../limits.js";
import type { UnitTrace } from "./job.js";
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
  /** For the log. */
  report(text: string, facts: Readonly<Record<string, unknown>>): void;
}

type Place = Exclude<JournalTrace, { kind: "child" | "unit" | "device" }>;

/**
 * Undoes, or at least names, what an earlier daemon was doing when it died, by the records of its journal. To be done before
 * anything else looks at the storage. First the programs that it had started are made sure to be gone: nobody else may
 * work on what is undone. A record that cannot be dealt with now (its storage is not there) is kept for the next start.
 *
 * Gives one entry for each job that was interrupted, for those who ask what became of it.
 */
export async function recover(
  journal: Directory,
  { hostAt, endOrphans, undoUnit, report }: RecoverySurroundings,
): Promise<Omit<JobFacts, "id">[]> {
  const { killed, stuck } = await endOrphans();
  for (const program of killed) report("a program of an earlier daemon was ended", { program });
  for (const program of stuck) report("a program of an earlier daemon cannot be ended", { program });
  const interrupted = new Map<string, { readonly record: JournalRecord; readonly remarks: string[] }>();
  /** Directories on storage that did not answer: it is waited for once, however many records there are. */
  const silent = new Set<string>();
  const outcomeOf = (record: JournalRecord, trace: Exclude<JournalTrace, { kind: "child" }>): Promise<Outcome> => {
    if (trace.kind === "unit") return undoUnitOf(record, trace, undoUnit);
    if (trace.kind === "device") return Promise.resolve(incompleteDevice(record, trace.path));
    return undo(record, trace, hostAt, silent);
  };
  for (const name of (await journal.names()).filter((each) => each.endsWith(".json")).sort()) {
    const record = await readRecord(journal, name, report);
    if (record === null) continue;
    if (record === "cut off") {
      report("a record that was cut off was removed: what it was for had not begun", { record: name });
    } else if (record.trace.kind !== "child") {
      if (stuck.length > 0) {
        report("work of an earlier daemon is not undone while its program is stuck", {
          record: name,
          ...factsOf(record),
        });
        continue;
      }
      const remark = await outcomeOf(record, record.trace);
      report(remark.text, { ...factsOf(record), ...(remark.error === undefined ? {} : { err: remark.error }) });
      // Several traces of one job are one story.
      const key = `${record.job.id} ${record.job.startedAt.getTime()}`;
      const known = interrupted.get(key);
      if (known === undefined) interrupted.set(key, { record, remarks: [remark.text] });
      else known.remarks.push(remark.text);
      if (remark.error !== undefined) continue;
    }
    await journal.removeFile(name).catch((error: unknown) => report("a record could not be removed", { err: error }));
  }
  return [...interrupted.values()].map(({ record, remarks }) => interruptedJob(record, remarks));
}

/** null: it cannot be read, or not be understood; it is kept, for what it tells of may lie there. */
async function readRecord(
  journal: Directory,
  name: string,
  report: RecoverySurroundings["report"],
): Promise<JournalRecord | "cut off" | null> {
  try {
    const record = decodeRecord(await journal.readFile(name, limits.journalRecordBytes));
    if (record !== "foreign") return record;
    report("a record that is not understood was left alone", { record: name });
  } catch (error) {
    report("a record could not be read", { record: name, err: error });
  }
  return null;
}

interface Outcome {
  readonly text: string;
  /** It could not be done. */
  readonly error?: unknown;
}

async function undo(
  { job }: JournalRecord,
  trace: Place,
  hostAt: RecoverySurroundings["hostAt"],
  silent: Set<string>,
): Promise<Outcome> {
  const what = `${job.title}: interrupted by the end of the daemon`;
  const { path } = trace.directory;
  try {
    if (silent.has(path)) throw new Error("the storage does not answer");
    return await asWhoMay(path, hostAt, async (host) => {
      await using directory = await host.openDirectory(path);
      const { inode } = await directory.facts();
      if (inode !== trace.directory.inode) {
        // What was there may be mounted later.
        return notYet(job, `${what}; '${path}' is another directory now`, new Error("not the directory of the record"));
      }
      try {
        return { text: `${what}; ${await undoIn(directory, trace)}` };
      } catch (error) {
        if (isGone(error)) return { text: `${what}; nothing is left of it` };
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof HostError && error.code === "ETIMEDOUT") silent.add(path);
    return notYet(job, `${what}; what it left in '${path}' could not be undone`, error);
  }
}

/** A server may refuse root what it lets the directory's owner do. */
async function asWhoMay<T>(
  path: string,
  hostAt: RecoverySurroundings["hostAt"],
  work: (host: Host) => Promise<T>,
): Promise<T> {
  const host = await hostAt(path);
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

function incompleteDevice({ job }: JournalRecord, path: string): Outcome {
  const what = `${job.title}: interrupted by the end of the daemon`;
  return { text: `${what}; ${incompleteContent(path)}` };
}

function incompleteContent(path: string): string {
  return `the content of '${path}' is incomplete: part of it is old and part is new`;
}

async function undoUnitOf(
  { job }: JournalRecord,
  unit: UnitTrace,
  undoUnit: RecoverySurroundings["undoUnit"],
): Promise<Outcome> {
  const what = `${job.title}: interrupted by the end of the daemon`;
  try {
    return { text: `${what}; ${await undoUnit(unit)}` };
  } catch (error) {
    return notYet(job, `${what}; '${unit.name}' in '${unit.place}' could not be undone`, error);
  }
}

/** Kept for the next start, but not for ever. */
function notYet({ startedAt }: JournalRecord["job"], text: string, error: unknown): Outcome {
  return Date.now() - startedAt.getTime() > limits.journalRecordMs ? { text } : { text, error };
}

async function undoIn(directory: Directory, trace: Place): Promise<string> {
  const path = `${directory.path}/${trace.name}`;
  switch (trace.kind) {
    case "temporary":
      await removeEntry(directory, trace.name);
      return `'${path}' was removed`;
    case "resize": {
      await using file = await directory.open(trace.name, { access: "write" });
      const { kind, sizeBytes } = await file.facts();
      // Cutting it where it ends frees what was reserved behind its end.
      if (kind === "file") await file.truncate(sizeBytes);
      return `'${path}' has ${sizeBytes} bytes`;
    }
    case "content":
      await directory.lookup(trace.name, { follow: false });
      return incompleteContent(path);
  }
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

function factsOf({ job, trace }: JournalRecord): Readonly<Record<string, unknown>> {
  return { job: job.kind, pool: job.pool, volume: job.volume, left: trace.kind, startedAt: job.startedAt };
}

function interruptedJob({ job }: JournalRecord, remarks: readonly string[]): Omit<JobFacts, "id"> {
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
