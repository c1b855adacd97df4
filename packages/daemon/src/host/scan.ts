import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { hostLimits } from "../limits.js";
import { withDeadline } from "./deadline.js";
import { endOfThread } from "./end-of-thread.js";
import { hostError, hostErrorFrom } from "./errors.js";
import {
  type CallOptions,
  type File,
  type Host,
  HostError,
  type ScanEvidence,
  type ScannedEntry,
  type ScanRequest,
} from "./host.js";
import { type ScanBatch, type UnpackedEntry, unpackBatch } from "./scan-batch.js";
import type { ScanAnswer, ScanJob, ScanOrder } from "./scan-messages.js";

/** What a scan needs of an open directory. */
export interface ScannedDirectory {
  readonly host: Host;
  readonly path: string;
  hold(): { readonly fd: number; readonly release: () => void };
  /** The home of a path, when that is another one. */
  elsewhere(path: string): Promise<{ readonly host: Host; readonly path: string } | null>;
}

export interface ScanPolicy {
  /** Evidence younger than this is not given: a later write could leave it as it is. */
  readonly evidenceAgeNs: bigint;
  readonly follows: ScanJob["follows"];
}

/**
 * Scans of directories, each by a thread of its own, so that ten thousand opens, reads and closes neither occupy the event
 * loop nor Node's small thread pool. At most `scanThreads` run; further scans wait for their turn.
 *
 * Without earlier evidence the thread looks, opens and reads in one go. With it, the thread first sends what it saw of each
 * entry; here it is compared, and only what changed is asked for: an unchanged file costs one system call.
 */
export class ScanThreads {
  readonly #idle: ScanThread[] = [];
  readonly #all = new Set<ScanThread>();
  readonly #queue: ((thread: ScanThread) => void)[] = [];
  #closed = false;

  async *scan(
    directory: ScannedDirectory,
    request: ScanRequest,
    options: CallOptions | undefined,
    policy: ScanPolicy,
  ): AsyncGenerator<readonly ScannedEntry[], void, undefined> {
    checkRequest(directory, request);
    const what = `Scanning "${directory.path}"`;
    const thread = await this.#acquire(what, options);
    const scan = new RunningScan(thread, directory, request, options, policy);
    try {
      yield* scan.batches();
    } finally {
      // Not waited for: the thread may still be inside a system call.
      void scan.end().then((usable) => this.#release(thread, usable));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((thread) => thread.close()));
  }

  async #acquire(what: string, options: CallOptions | undefined): Promise<ScanThread> {
    if (this.#closed) throw hostError("ECANCELED", `${what} was given up`);
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size < hostLimits.scanThreads) return this.#start();
    let take: (thread: ScanThread) => void = () => undefined;
    const turn = new Promise<ScanThread>((resolve) => {
      take = resolve;
      this.#queue.push(take);
    });
    try {
      return await withDeadline(what, turn, hostLimits.localSlowCallMs, options, (late) => this.#release(late, true));
    } finally {
      const index = this.#queue.indexOf(take);
      if (index >= 0) this.#queue.splice(index, 1);
    }
  }

  #start(): ScanThread {
    const thread = new ScanThread(() => {
      this.#all.delete(thread);
      const index = this.#idle.indexOf(thread);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    this.#all.add(thread);
    return thread;
  }

  #release(thread: ScanThread, usable: boolean): void {
    if (!usable || this.#closed) void thread.close();
    const next = usable && !this.#closed ? thread : null;
    const waiting = this.#closed ? undefined : this.#queue.shift();
    if (waiting !== undefined) waiting(next ?? this.#start());
    else if (next !== null) {
      this.#idle.push(next);
      next.rest();
    }
  }
}

/** One scan in its thread: messages in order, no more of them on their way than the limit. */
class RunningScan {
  readonly #thread: ScanThread;
  readonly #directory: ScannedDirectory;
  readonly #request: ScanRequest;
  readonly #options: CallOptions | undefined;
  readonly #policy: ScanPolicy;
  readonly #held: { readonly fd: number; readonly release: () => void };
  readonly #startNs = BigInt(Date.now()) * 1_000_000n;
  /** Homes that did not answer during this scan. */
  readonly #hung = new Set<Host>();
  /** Arrived before it was its turn. */
  readonly #facts: Extract<ScanAnswer, { type: "facts" }>[] = [];
  #ended = false;

  constructor(
    thread: ScanThread,
    directory: ScannedDirectory,
    request: ScanRequest,
    options: CallOptions | undefined,
    policy: ScanPolicy,
  ) {
    this.#thread = thread;
    this.#directory = directory;
    this.#request = request;
    this.#options = options;
    this.#policy = policy;
    this.#held = directory.hold();
    const { headBytes, windows, known } = request;
    const scan = { directory: this.#held.fd, headBytes, windows, factsFirst: hasKnown(known), follows: policy.follows };
    thread.send({ type: "scan", scan });
  }

  async *batches(): AsyncGenerator<readonly ScannedEntry[], void, undefined> {
    for (;;) {
      const answer = this.#facts.shift() ?? (await this.#next());
      if (answer.type === "end") return;
      if (answer.type === "failed") throw new HostError(answer.code, answer.errno, answer.message);
      if (answer.type === "contents") continue;
      yield* hasKnown(this.#request.known)
        ? this.#compared(answer.number, answer.batch)
        : [await this.#finished(answer.batch)];
      // Waiting messages of a thread are handled in one go, before anything else: no batch without a turn for the others.
      await turn();
      this.#thread.send({ type: "more" });
    }
  }

  /** Ends the scan; false when its thread cannot be used again. */
  async end(): Promise<boolean> {
    try {
      if (!this.#ended && this.#thread.alive) {
        this.#thread.send({ type: "stop" });
        while (!this.#ended) await this.#next({ timeoutMs: hostLimits.localSlowCallMs });
      }
      return this.#thread.alive;
    } catch {
      return false;
    } finally {
      this.#held.release();
    }
  }

  async #next(options = this.#options): Promise<ScanAnswer> {
    const answer = await withDeadline(
      `Scanning "${this.#directory.path}"`,
      this.#thread.next(),
      hostLimits.localSlowCallMs,
      options,
      (late) => this.#thread.putBack(late),
    );
    if (answer.type === "end" || answer.type === "failed") this.#ended = true;
    return answer;
  }

  async *#compared(number: number, batch: ScanBatch): AsyncGenerator<readonly ScannedEntry[], void, undefined> {
    const unchanged: ScannedEntry[] = [];
    const wanted: number[] = [];
    for (const [index, entry] of unpackBatch(batch, this.#request.windows.length).entries()) {
      const evidence = this.#request.known?.get(entry.name);
      if (evidence !== undefined && !entry.isSymlink && entry.facts !== null && isEvidenceOf(evidence, entry.facts)) {
        unchanged.push({ ...entry, evidence });
      } else if (entry.facts !== null && (entry.isSymlink || hasContent.has(entry.facts.kind))) {
        wanted.push(index);
      } else {
        unchanged.push({ ...entry, evidence: null });
      }
    }
    this.#thread.send({ type: "read", batch: number, indexes: wanted });
    if (unchanged.length > 0) yield unchanged;
    for (let missing = wanted.length; missing > 0; ) {
      const answer = await this.#next();
      if (answer.type === "facts") {
        this.#facts.push(answer);
        continue;
      }
      if (answer.type === "failed") throw new HostError(answer.code, answer.errno, answer.message);
      if (answer.type === "end") return;
      const entries = await this.#finished(answer.batch);
      missing -= entries.length;
      yield entries;
    }
  }

  async #finished(batch: ScanBatch): Promise<readonly ScannedEntry[]> {
    const entries = unpackBatch(batch, this.#request.windows.length).map((entry) => ({
      ...entry,
      evidence: this.#evidenceOf(entry),
    }));
    const todo = [...batch.elsewhere];
    const workers = Array.from({ length: Math.min(todo.length, hostLimits.scanElsewhereAtOnce) }, async () => {
      for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
        const entry = entries[next.index];
        if (entry !== undefined) entries[next.index] = { ...entry, ...(await this.#readElsewhere(next.path)) };
      }
    });
    await Promise.all(workers);
    return entries;
  }

  /** A regular file whose last change the clock can tell from any later one. */
  #evidenceOf({ isSymlink, facts }: UnpackedEntry): ScanEvidence | null {
    if (facts === null || isSymlink || facts.kind !== "file") return null;
    if (facts.changeNs > this.#startNs - this.#policy.evidenceAgeNs) return null;
    const { device, inode, sizeBytes, modificationNs, changeNs } = facts;
    return { device, inode, sizeBytes, modificationNs, changeNs };
  }

  /** Through the home that storage belongs to, which gives up in time. After the first time, it is not asked again. */
  async #readElsewhere(path: string): Promise<Partial<ScannedEntry>> {
    const found = await this.#directory.elsewhere(path);
    const host = found?.host ?? this.#directory.host;
    if (this.#hung.has(host)) return { errno: hostError("ETIMEDOUT", path).errno };
    try {
      return await readEntry(host, path, this.#request, this.#options);
    } catch (failure) {
      const { code, errno } = hostErrorFrom(failure);
      if (code === "ECANCELED") throw failure;
      if (code === "ETIMEDOUT") this.#hung.add(host);
      return { errno };
    }
  }
}

async function readEntry(
  host: Host,
  path: string,
  request: ScanRequest,
  options: CallOptions | undefined,
): Promise<Partial<ScannedEntry>> {
  const seen = await host.facts(path, options);
  if (!hasContent.has(seen.kind) || seen.kind === "directory") return { facts: seen };
  await using file: File = await host.openFile(path, "read", options);
  const facts = await file.facts(options);
  const head = await file.read(0n, request.headBytes, options);
  const windows: Uint8Array[] = [];
  for (const { offset, length } of request.windows) windows.push(await file.read(BigInt(offset), length, options));
  const end = head.findLastIndex((byte) => byte !== 0) + 1;
  return { facts, head: head.subarray(0, end), windows };
}

/** Kinds that are opened: the others' facts are all there is to them. */
const hasContent: ReadonlySet<string> = new Set(["file", "block", "directory"]);

function hasKnown(known: ScanRequest["known"]): boolean {
  return known !== undefined && known.size > 0;
}

function isEvidenceOf(evidence: ScanEvidence, facts: ScanEvidence): boolean {
  return (
    evidence.changeNs === facts.changeNs &&
    evidence.inode === facts.inode &&
    evidence.device === facts.device &&
    evidence.sizeBytes === facts.sizeBytes &&
    evidence.modificationNs === facts.modificationNs
  );
}

function checkRequest(directory: ScannedDirectory, { headBytes, windows }: ScanRequest): void {
  const bytes = windows.reduce((sum, { length }) => sum + length, headBytes);
  if (bytes > hostLimits.scanBytesPerEntry) {
    throw hostError("E2BIG", `A scan of "${directory.path}" cannot read ${bytes} bytes of each file`);
  }
}

/** A worker thread with its answers in a queue. */
class ScanThread {
  readonly #worker = new Worker(new URL("./scan-worker.js", import.meta.url), { execArgv: [] });
  readonly #answers: ScanAnswer[] = [];
  #waiting: { readonly resolve: (answer: ScanAnswer) => void; readonly reject: (reason: Error) => void } | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #failure: Error | null = null;

  constructor(ended: () => void) {
    this.#worker.on("message", (answer: ScanAnswer) => this.putBack(answer));
    const fail = (cause: unknown) => {
      this.#failure ??= hostError("EIO", "The scan's thread has ended", cause);
      this.#waiting?.reject(this.#failure);
      this.#waiting = null;
      ended();
    };
    this.#worker.on("error", fail);
    this.#worker.on("exit", () => fail(undefined));
  }

  get alive(): boolean {
    return this.#failure === null;
  }

  send(order: ScanOrder): void {
    clearTimeout(this.#idleTimer);
    this.#worker.ref();
    this.#worker.postMessage(order);
  }

  /** One caller at a time. */
  next(): Promise<ScanAnswer> {
    const answer = this.#answers.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** To whoever waits, else to the queue. */
  putBack(answer: ScanAnswer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#answers.push(answer);
    else waiting.resolve(answer);
  }

  /** Idle: neither keeps the process alive nor stays for ever. */
  rest(): void {
    this.#worker.unref();
    this.#idleTimer = setTimeout(() => void this.close(), hostLimits.scanThreadIdleMs);
    this.#idleTimer.unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#worker.postMessage({ type: "close" } satisfies ScanOrder);
    await endOfThread(this.#worker);
  }
}
