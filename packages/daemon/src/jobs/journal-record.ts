import { JOB_KINDS } from "@cistern/protocol";
import { isTemporaryName } from "../host/index.js";
import type { ChildProcessIdentity, Trace } from "./job.js";
import { type JobFacts, type JobKind, REQUESTER_DOORS, type Requester } from "./job-facts.js";

export type JournalTrace = Trace | ({ readonly kind: "child" } & ChildProcessIdentity);

/** One file of the journal. */
export interface JournalRecord {
  readonly job: {
    readonly id: number;
    readonly kind: JobKind;
    readonly pool: string;
    readonly volume: string | null;
    readonly title: string;
    readonly requester: Pick<Requester, "door" | "userId" | "processId" | "client">;
    readonly startedAt: Date;
  };
  readonly trace: JournalTrace;
}

const FORMAT = 1;

export function encodeRecord(job: JobFacts, trace: JournalTrace): Uint8Array {
  const { id, kind, pool, volume, title, requester } = job;
  const { door, userId, processId, client } = requester;
  const startedAt = (job.startedAt ?? job.createdAt).toISOString();
  const content = {
    format: FORMAT,
    job: { id, kind, pool, volume, title, requester: { door, userId, processId, client }, startedAt },
    trace,
  };
  return new TextEncoder().encode(`${JSON.stringify(content, decimal, 2)}\n`);
}

/** JSON has no numbers of 64 bits. */
function decimal(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

/** What stands in a file that was written whole. */
interface Content {
  readonly format: number;
  readonly job: Omit<JournalRecord["job"], "startedAt"> & { readonly startedAt: string };
  readonly trace: {
    readonly kind: string;
    readonly directory: { readonly path: string; readonly inode: string };
    readonly name: string;
    /** Absent: an older daemon wrote it. */
    readonly sizeBytes?: string | null;
    readonly pid: number;
    readonly startTime: string;
    readonly path: string;
    readonly poolType: string;
    readonly place: string;
    readonly identity: string;
  };
}

/** "cut off": not all of it was written. "foreign": whole, but nothing that this version understands. */
export function decodeRecord(bytes: Uint8Array): JournalRecord | "cut off" | "foreign" {
  let content: Content;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return "cut off";
  }
  try {
    return recordIn(content) ?? "foreign";
  } catch {
    return "foreign";
  }
}

/** Throws, or gives null, where the file says something else. */
function recordIn({ format, job, trace }: Content): JournalRecord | null {
  if (format !== FORMAT) return null;
  const [work, read] = [jobIn(job), traceIn(trace)];
  return work === null || read === null ? null : { job: work, trace: read };
}

/** Every field is looked at: what is recovered is shown to clients, who cannot be told of half a job. */
function jobIn({ id, kind, pool, volume, title, requester, startedAt }: Content["job"]): JournalRecord["job"] | null {
  const { door, userId, processId, client } = requester;
  const time = new Date(startedAt);
  const isWhole =
    [id, client].every(isNumber) &&
    [userId, processId].every((number) => number === null || isNumber(number)) &&
    [pool, title, volume ?? ""].every((text) => typeof text === "string") &&
    JOB_KINDS.includes(kind) &&
    REQUESTER_DOORS.includes(door) &&
    !Number.isNaN(time.getTime());
  return isWhole
    ? { id, kind, pool, volume, title, requester: { door, userId, processId, client }, startedAt: time }
    : null;
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function traceIn(trace: Content["trace"]): JournalTrace | null {
  if (trace.kind === "child") return { kind: "child", pid: Number(trace.pid), startTime: String(trace.startTime) };
  if (trace.kind === "device") return typeof trace.path === "string" ? { kind: "device", path: trace.path } : null;
  if (trace.kind === "unit") {
    const { poolType, place, identity } = trace;
    if (![poolType, place, trace.name, identity].every((text) => typeof text === "string" && text !== "")) return null;
    return { kind: "unit", poolType, place, name: trace.name, identity };
  }
  if (!isPlaceKind(trace.kind)) return null;
  const name = String(trace.name);
  // Recovery removes it: whatever else the record says, nothing but a temporary file may go.
  if (trace.kind === "temporary" && !isTemporaryName(name)) return null;
  const directory = { path: String(trace.directory.path), inode: BigInt(trace.directory.inode) };
  if (trace.kind !== "content") return { kind: trace.kind, directory, name };
  const { sizeBytes = null } = trace;
  if (sizeBytes === null) return { kind: "content", directory, name, sizeBytes };
  // A file is cut by it: nothing but what is written here counts.
  if (typeof sizeBytes !== "string" || !/^\d+$/.test(sizeBytes)) return null;
  return { kind: "content", directory, name, sizeBytes: BigInt(sizeBytes) };
}

type FileKind = Exclude<Trace["kind"], "unit" | "device">;

function isPlaceKind(kind: string): kind is FileKind {
  return FILE_KINDS.has(kind);
}

const FILE_KINDS: ReadonlySet<string> = new Set<FileKind>(["temporary", "resize", "content"]);
