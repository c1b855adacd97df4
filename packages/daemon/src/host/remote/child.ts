import { open } from "node:fs/promises";
import type { CancelSignal } from "../../cancel-signal.js";
import { hostLimits } from "../../limits.js";
import type { PreparedArgument } from "../command-line.js";
import { hostError, hostErrorFrom } from "../errors.js";
import type {
  CommandResult,
  CopiedRange,
  FileFacts,
  Identity,
  PublishOptions,
  ScanEvidence,
  ScanRequest,
} from "../host.js";
import { LocalDirectory } from "../local/local-directory.js";
import { LocalFile } from "../local/local-file.js";
import { LocalHost } from "../local/local-host.js";
import { NativeLane } from "../local/native-lane.js";
import { runCommand } from "../run.js";
import { ScanThreads } from "../scan.js";
import {
  type FromChild,
  type HandleLocation,
  type SentArgument,
  type SentCommand,
  servedMethods,
  type ToChild,
} from "./messages.js";

/**
 * Entry of the child process of a remote home: the local implementation, called by messages. It may hang wherever the
 * storage does; the daemon then kills it. It ends when the daemon does, whose end of the channel closes.
 */

const identity = becomeAnother(process.argv.slice(2).map(Number));

const host = new LocalHost({
  router: null,
  lanes: { quick: new NativeLane(hostLimits.remoteQuickThreads), bulk: new NativeLane(hostLimits.bulkThreads) },
  scans: new ScanThreads(),
  run: () => Promise.reject(hostError("ENOSYS", "Commands come by message")),
  evidenceAgeNs: hostLimits.remoteEvidenceAgeNs,
});

/**
 * With two arguments, this process becomes that user before it does anything: servers see him in every call. It was started
 * so that capabilities outlive the change (remote-child.ts), and its real and saved ids stay root's: without the first it
 * could not open what the daemon hands over, without the second the user could send it signals.
 */
function becomeAnother([owner, group]: readonly number[]): Identity | null {
  if (owner === undefined || group === undefined) return null;
  try {
    (process as ProcessWithGroups).initgroups(owner, group);
  } catch {
    // A user whom this machine does not know is in no other groups.
    process.setgroups?.([group]);
  }
  process.setegid?.(group);
  process.seteuid?.(owner);
  return { owner, group };
}

/** What Node's types leave out. Throws for a user whom this machine does not know. */
type ProcessWithGroups = NodeJS.Process & { initgroups(user: number, group: number): void };

type Target = LocalHost | LocalDirectory | LocalFile;

interface RunningCall {
  readonly abort: AbortController;
  /** Batches of a scan that the daemon has not yet taken. */
  ahead: number;
  wake: () => void;
}

interface CallContext {
  readonly id: number;
  readonly args: readonly unknown[];
  readonly signal: CancelSignal;
  readonly timeoutMs: number;
  readonly running: RunningCall;
}

const handles = new Map<number, LocalDirectory | LocalFile>();
const runningCalls = new Map<number, RunningCall>();
const knownOfScans = new Map<number, Map<string, ScanEvidence>>();
let nextHandle = 1;

/** How often a long call that is still alive says so. */
const progressIntervalMs = 100;

async function answer(message: Extract<ToChild, { type: "call" }>): Promise<void> {
  const { id, target, method, args, timeoutMs } = message;
  const abort = new AbortController();
  const running = { abort, ahead: 0, wake: () => undefined };
  runningCalls.set(id, running);
  try {
    const object = target === 0 ? host : handles.get(target);
    if (object === undefined) throw hostError("EBADF", "No such handle");
    const context = { id, args, signal: abort.signal, timeoutMs, running };
    const special = specialMethods.get(method);
    const value = special !== undefined ? await special(object, context) : await serve(object, method, context);
    send({ type: "result", id, value: sendable(value) });
  } catch (failure) {
    const { code, errno, message, step } = hostErrorFrom(failure);
    send({ type: "error", id, code, errno, message, step });
  } finally {
    runningCalls.delete(id);
    knownOfScans.delete(id);
  }
}

/** These have further options; they are sent as the last argument. */
const optionMethods: ReadonlySet<string> = new Set(["lookup", "look", "publishEntry", "allocate"]);

/** Calls the method of the same name. */
function serve(object: Target, method: string, { id, args, signal, timeoutMs }: CallContext): Promise<unknown> {
  const kind = object instanceof LocalHost ? "host" : object instanceof LocalDirectory ? "directory" : "file";
  if (!servedMethods[kind].some((served) => served === method)) throw hostError("ENOSYS", `No method "${method}"`);
  const options = { signal, timeoutMs, progress: progressTo(id) };
  const call: unknown = Reflect.get(object, method);
  if (typeof call !== "function") throw hostError("ENOSYS", `No method "${method}"`);
  if (optionMethods.has(method)) {
    const further = args.at(-1) as object;
    return Reflect.apply(call, object, [...args.slice(0, -1), { ...options, ...further }]);
  }
  return Reflect.apply(call, object, [...args, options]);
}

const specialMethods = new Map<string, (object: Target, context: CallContext) => Promise<unknown>>([
  ["scan", scan],
  ["run", (_, context) => run(context)],
  [
    "cloneFrom",
    (object, { args, signal, timeoutMs }) =>
      fileOf(object).cloneFrom(fileOf(handles.get(Number(args[0]))), { signal, timeoutMs }),
  ],
  ["copyRange", copyRange],
  ["publish", publish],
  ["location", location],
  ["close", close],
]);

function fileOf(object: Target | undefined): LocalFile {
  if (object instanceof LocalFile) return object;
  throw hostError("EBADF", "Not an open file");
}

async function scan(object: Target, { id, args, signal, running }: CallContext): Promise<null> {
  if (!(object instanceof LocalDirectory)) throw hostError("ENOTDIR", "Not an open directory");
  const request = args[0] as Omit<ScanRequest, "known">;
  const known = knownOfScans.get(id);
  for await (const entries of object.scan({ ...request, ...(known === undefined ? {} : { known }) }, { signal })) {
    while (running.ahead >= hostLimits.scanBatchesAhead && !signal.aborted) {
      await new Promise<void>((resolve) => {
        running.wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
        send({ type: "progress", id, doneBytes: null, totalBytes: null });
      });
    }
    if (signal.aborted) break;
    running.ahead += 1;
    send({ type: "batch", id, entries });
  }
  return null;
}

async function copyRange(object: Target, { args, signal, timeoutMs }: CallContext): Promise<CopiedRange> {
  const [source, sourceOffset, targetOffset, lengthBytes, mayShare] = args as [number, bigint, bigint, bigint, boolean];
  const from = fileOf(handles.get(source));
  return fileOf(object).copyRange(from, sourceOffset, targetOffset, lengthBytes, { signal, timeoutMs, mayShare });
}

async function publish(object: Target, { args, signal, timeoutMs }: CallContext): Promise<FileFacts> {
  if (!(object instanceof LocalDirectory)) throw hostError("ENOTDIR", "Not an open directory");
  const [file, name, further] = args as [number, string, PublishOptions];
  return object.publish(fileOf(handles.get(file)), name, { signal, timeoutMs, ...further });
}

async function location(object: Target): Promise<HandleLocation> {
  if (object instanceof LocalHost) throw hostError("EBADF", "Not an open file");
  const { device, inode } = await object.facts();
  const { fd, release } = object.hold();
  release();
  return { pid: process.pid, fd, device, inode };
}

async function close(object: Target): Promise<void> {
  if (object instanceof LocalHost) return;
  for (const [handle, open] of handles) if (open === object) handles.delete(handle);
  await object.close();
}

/** While the command runs, the daemon hears that this process is alive; the command itself is watched by `runCommand`. */
async function run({ id, args, signal }: CallContext): Promise<CommandResult> {
  const [command, temporaryDirectory] = args as [SentCommand, string];
  const { program, environment, leavesRunning, timeoutMs, inactivityMs, outputLimitBytes, input } = command;
  const releases: (() => void)[] = [];
  const alive = setInterval(
    () => send({ type: "progress", id, doneBytes: null, totalBytes: null }),
    hostLimits.commandSampleMs,
  );
  try {
    const prepared: PreparedArgument[] = [];
    for (const argument of command.args) prepared.push(await preparedArgument(argument, releases));
    return await runCommand(
      { program, args: prepared, environment, leavesRunning },
      {
        signal,
        ...(timeoutMs === null ? {} : { timeoutMs }),
        ...(outputLimitBytes === null ? {} : { outputLimitBytes }),
        ...(input === null ? {} : { input }),
        ...(command.wantsStart ? { started: (program) => send({ type: "program", id, program }) } : {}),
        ...(command.wantsOutput ? { output: (text) => send({ type: "output", id, text }) } : {}),
      },
      {
        temporaryDirectory,
        inactivityMs,
        started: (processGroup) => send({ type: "started", id, processGroup }),
        ...(identity === null ? {} : { identity }),
      },
    );
  } finally {
    clearInterval(alive);
    for (const release of releases) release();
  }
}

async function preparedArgument(argument: SentArgument, releases: (() => void)[]): Promise<PreparedArgument> {
  if (typeof argument === "string" || "unshown" in argument) return argument;
  const { at, ...rest } = argument;
  if ("handle" in at) {
    const handle = handles.get(at.handle);
    if (handle === undefined) throw hostError("EBADF", `"${argument.shown}" is not open any more`);
    const { fd, release } = handle.hold();
    releases.push(release);
    return { ...rest, fd };
  }
  return { ...rest, fd: await openElsewhere(at, argument.shown, releases) };
}

/** Only a reference (O_PATH, which Node has no name for): nothing is asked of the storage, and nothing can be read by it. */
const O_PATH = 0o10000000;

/** A handle of another process. Should that have ended, its number may be another file's by now: the inode tells. */
async function openElsewhere(at: HandleLocation, shown: string, releases: (() => void)[]): Promise<number> {
  const handle = await open(`/proc/${at.pid}/fd/${at.fd}`, O_PATH);
  releases.push(() => void handle.close());
  const { dev, ino } = await handle.stat({ bigint: true });
  if (dev !== at.device || ino !== at.inode) throw hostError("ESTALE", `"${shown}" is not open any more`);
  return handle.fd;
}

function progressTo(id: number): (doneBytes: bigint, totalBytes: bigint) => void {
  let last = 0;
  return (doneBytes, totalBytes) => {
    const now = performance.now();
    if (now - last < progressIntervalMs && doneBytes < totalBytes) return;
    last = now;
    send({ type: "progress", id, doneBytes, totalBytes });
  };
}

function sendable(value: unknown): unknown {
  if (!(value instanceof LocalDirectory) && !(value instanceof LocalFile)) return value;
  const handle = nextHandle++;
  handles.set(handle, value);
  return { handle, path: value.path };
}

function send(message: FromChild): void {
  // A daemon that has gone needs no answer; "disconnect" ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

process.on("message", (message: ToChild) => {
  switch (message.type) {
    case "call":
      void answer(message);
      return;
    case "cancel":
      runningCalls.get(message.id)?.abort.abort();
      return;
    case "known": {
      const known = knownOfScans.get(message.id) ?? new Map<string, ScanEvidence>();
      for (const [name, evidence] of message.entries) known.set(name, evidence);
      knownOfScans.set(message.id, known);
      return;
    }
    case "more": {
      const running = runningCalls.get(message.id);
      if (running === undefined) return;
      running.ahead -= 1;
      running.wake();
      return;
    }
  }
});
// Not `exit`, which would wait for threads that hang.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// The daemon decides when this process ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("uncaughtException", (failure) => {
  send({ type: "fatal", message: failure.stack ?? String(failure) });
  process.exit(1);
});
send({ type: "ready" });
