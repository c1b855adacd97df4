import type { ChildProcessIdentity, Trace } from "./job.js";
import { JOB_KINDS, type JobFacts, type JobKind, type Requester } from "./job-facts.js";

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
    trace:
      "directory" in trace ? { ...trace, directory: { ...trace.directory, inode: `${trace.directory.inode}` } } : trace,
  };
  return new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`);
}

/** null: it is none, or not one that this version understands. */
export function decodeRecord(bytes: Uint8Array): JournalRecord | null {
  try {
    const content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (content.format !== FORMAT || !JOB_KINDS.includes(content.job.kind)) return null;
    const { trace } = content;
    const read: JournalTrace | null =
      trace.kind === "child"
        ? { kind: "child", pid: Number(trace.pid), startTime: String(trace.startTime) }
        : TRACES.has(trace.kind)
          ? {
              kind: trace.kind,
              directory: { path: String(trace.directory.path), inode: BigInt(trace.directory.inode) },
              name: String(trace.name),
            }
          : null;
    if (read === null) return null;
    return { job: { ...content.job, startedAt: new Date(content.job.startedAt) }, trace: read };
  } catch {
    return null;
  }
}

const TRACES: ReadonlySet<string> = new Set<Trace["kind"]>(["temporary", "resize", "content"]);
