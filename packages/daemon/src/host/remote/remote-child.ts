import { type ChildProcess, fork } from "node:child_process";
import type { CancelSignal } from "../../cancel-signal.js";
import { hostLimits } from "../../limits.js";
import { hostError } from "../errors.js";
import { HostError, type Identity, type ScannedEntry, type StartedProgram } from "../host.js";
import { killGroup } from "../run.js";
import type { FromChild, OpenedHandle, ToChild } from "./messages.js";

export interface RemoteCall {
  readonly target: number;
  readonly method: string;
  readonly args: readonly unknown[];
  /** The call ends after so long without a sign of life from the child. */
  readonly timeoutMs: number;
  /** For messages. */
  readonly what: string;
  readonly signal?: CancelSignal | undefined;
  readonly progress?: ((doneBytes: bigint, totalBytes: bigint) => void) | undefined;
  /** Of a command. */
  readonly started?: ((child: StartedProgram) => void) | undefined;
  readonly output?: ((text: string) => void) | undefined;
  readonly batch?: (entries: readonly ScannedEntry[]) => void;
}

export interface RemoteChildParts {
  /** For messages. */
  readonly storage: string;
  /** Whom it becomes; null: nobody else. */
  readonly identity: (Identity & { readonly guard: string }) | null;
  readonly environment: Readonly<Record<string, string>>;
  /** It takes no more calls. */
  readonly ended: () => void;
  /** The process has vanished. */
  readonly gone: () => void;
}

interface Pending {
  readonly id: number;
  readonly call: RemoteCall;
  readonly finish: (outcome: { readonly value: unknown } | { readonly failure: Error }) => void;
  timer: NodeJS.Timeout | undefined;
  processGroup: number | null;
}

/**
 * A child process that does what may hang. One call without an answer condemns it: it is killed and left behind, even if
 * the kernel keeps it for ever in a sleep that cannot be interrupted, and with it go its handles and its other calls.
 */
export class RemoteChild {
  readonly #storage: string;
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ready: Promise<void>;
  #becomeReady: () => void = () => undefined;
  #failReady: (reason: Error) => void = () => undefined;
  /** Why it cannot be used any more. */
  #ended: Error | null = null;
  #nextId = 1;
  #handles = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastWords = "";

  constructor({ storage, identity, environment, ended, gone }: RemoteChildParts) {
    this.#storage = storage;
    this.#onEnded = ended;
    this.#ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    this.#ready.catch(() => undefined);
    const ids = identity === null ? [] : [`${identity.owner}`, `${identity.group}`];
    this.#process = fork(new URL("./child.js", import.meta.url), ids, {
      serialization: "advanced",
      // Neither the terminal's signals nor the daemon's open output concern it.
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: [],
      ...(identity === null ? {} : keepingCapabilities(identity.guard)),
      cwd: "/",
      env: { ...process.env, ...environment, UV_THREADPOOL_SIZE: String(hostLimits.remoteThreads) },
    });
    this.#process.on("message", (message) => this.#receive(message as FromChild));
    this.#process.on("error", (cause) =>
      this.#end(hostError("EIO", `The process for "${storage}" cannot be reached`, cause)),
    );
    this.#process.on("disconnect", () => this.#end(this.#vanished()));
    this.#process.on("exit", () => {
      this.#end(this.#vanished());
      gone();
    });
    const start = setTimeout(
      () => this.abandon(hostError("ETIMEDOUT", `The process for "${storage}" did not start`)),
      hostLimits.remoteStartMs,
    );
    this.#ready.finally(() => clearTimeout(start)).catch(() => undefined);
    this.#rest();
  }

  readonly #onEnded: () => void;

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Nobody would miss it. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#handles === 0;
  }

  get isUsable(): boolean {
    return this.#ended === null;
  }

  async call(call: RemoteCall, before?: (id: number) => Promise<void>): Promise<unknown> {
    if (this.#ended !== null) throw this.#stale();
    if (this.#pending.size >= hostLimits.remoteCallsInFlight)
      throw hostError("EAGAIN", `${call.what}: too many calls wait for "${this.#storage}"`);
    if (call.signal?.aborted) throw hostError("ECANCELED", `${call.what} was given up`, call.signal.reason);
    const id = this.#nextId++;
    clearTimeout(this.#idleTimer);
    this.#process.ref();
    this.#process.channel?.ref();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#send({ type: "cancel", id });
        pending.finish({ failure: hostError("ECANCELED", `${call.what} was given up`, call.signal?.reason) });
      };
      const pending: Pending = {
        id,
        call,
        timer: undefined,
        processGroup: null,
        finish: (outcome) => {
          if (!this.#pending.delete(id)) return;
          clearTimeout(pending.timer);
          call.signal?.removeEventListener("abort", onAbort);
          this.#rest();
          if ("failure" in outcome) reject(outcome.failure);
          else resolve(outcome.value);
        },
      };
      this.#pending.set(id, pending);
      call.signal?.addEventListener("abort", onAbort, { once: true });
      const send = async () => {
        await this.#ready;
        this.#refresh(pending);
        await before?.(id);
        if (!this.#pending.has(id)) return;
        const { target, method, args, timeoutMs } = call;
        // Not sooner than here: a child that could answer would not have to be killed.
        this.#send({ type: "call", id, target, method, args, timeoutMs: timeoutMs * 2 });
      };
      send().catch((failure: Error) => pending.finish({ failure }));
    });
  }

  tell(message: ToChild): void {
    this.#send(message);
  }

  /** Gives a handle back; nobody waits for it. */
  closeHandle(handle: number): Promise<unknown> {
    if (this.#ended !== null) return Promise.resolve();
    const call = {
      target: handle,
      method: "close",
      args: [],
      timeoutMs: hostLimits.remoteCallMs,
      what: `Closing in "${this.#storage}"`,
    };
    return this.call(call).finally(() => {
      this.#handles -= 1;
      this.#rest();
    });
  }

  /** A handle has been taken over by its caller. */
  adopted(): void {
    this.#handles += 1;
    clearTimeout(this.#idleTimer);
  }

  /** Lets it end by itself: without its channel it exits. */
  release(): void {
    this.#end(hostError("ESTALE", `The process for "${this.#storage}" was ended`));
    if (this.#process.connected) this.#process.disconnect();
  }

  /** Kills it and waits for nothing. */
  abandon(reason: Error): void {
    const groups = [...this.#pending.values()].flatMap(({ processGroup }) => processGroup ?? []);
    this.#end(reason);
    if (this.#process.connected) this.#process.disconnect();
    this.#process.kill("SIGKILL");
    for (const group of groups) killGroup(group, "SIGKILL");
    this.#process.unref();
  }

  #receive(message: FromChild): void {
    if (message.type === "ready") {
      this.#becomeReady();
      return;
    }
    if (message.type === "fatal") {
      this.#lastWords = message.message;
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) {
      this.#receiveLate(message);
      return;
    }
    switch (message.type) {
      case "result":
        pending.finish({ value: message.value });
        return;
      case "error":
        pending.finish({ failure: hostErrorOf(message) });
        return;
      case "progress":
        this.#refresh(pending);
        if (message.doneBytes !== null && message.totalBytes !== null)
          pending.call.progress?.(message.doneBytes, message.totalBytes);
        return;
      case "batch":
        this.#refresh(pending);
        pending.call.batch?.(message.entries);
        return;
      case "started":
        pending.processGroup = message.processGroup;
        return;
      case "program":
        pending.call.started?.(message.program);
        return;
      case "output":
        this.#refresh(pending);
        pending.call.output?.(message.text);
        return;
    }
  }

  /** Its caller has gone; what it opened is closed. */
  #receiveLate(message: FromChild): void {
    if (message.type !== "result" || !isOpenedHandle(message.value)) return;
    this.adopted();
    this.closeHandle(message.value.handle).catch(() => undefined);
  }

  #refresh(pending: Pending): void {
    clearTimeout(pending.timer);
    if (!this.#pending.has(pending.id)) return;
    const { timeoutMs, what } = pending.call;
    pending.timer = setTimeout(() => {
      this.abandon(hostError("ETIMEDOUT", `${what}: "${this.#storage}" did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
  }

  #send(message: ToChild): void {
    // A child that cannot be written to any more is about to be reported by "disconnect".
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  #end(reason: Error): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    clearTimeout(this.#idleTimer);
    this.#failReady(reason);
    for (const { finish } of [...this.#pending.values()]) finish({ failure: reason });
    this.#process.unref();
    this.#process.channel?.unref();
    this.#onEnded();
  }

  #stale(): HostError {
    return hostError("ESTALE", `The process that had "${this.#storage}" open was ended`, this.#ended ?? undefined);
  }

  #vanished(): HostError {
    return hostError(
      "EIO",
      `The process for "${this.#storage}" has ended${this.#lastWords === "" ? "" : ` (${this.#lastWords})`}`,
    );
  }

  /** While nobody waits for it, it does not keep the daemon running; unused for long, it ends. */
  #rest(): void {
    if (this.#pending.size > 0 || this.#ended !== null) return;
    this.#process.unref();
    this.#process.channel?.unref();
    if (!this.isIdle) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.isIdle && this.release(), hostLimits.remoteIdleMs);
    this.#idleTimer.unref();
  }
}

/** Started by setpriv (`guard`, its path), a change of the effective user takes no capabilities away, in no thread. */
function keepingCapabilities(guard: string): { readonly execPath: string; readonly execArgv: string[] } {
  return { execPath: guard, execArgv: ["--securebits", "+no_setuid_fixup", "--", process.execPath] };
}

function hostErrorOf({ code, errno, message, step }: Extract<FromChild, { type: "error" }>): HostError {
  return new HostError(code, errno, message, step === undefined ? {} : { step });
}

function isOpenedHandle(value: unknown): value is OpenedHandle {
  return typeof value === "object" && value !== null && "handle" in value;
}
