/// <reference lib="es2024.sharedmemory" />
import { Worker } from "node:worker_threads";
import { hostLimits } from "../../limits.js";
import { endOfThread } from "../end-of-thread.js";
import { hostError } from "../errors.js";
import { answered, lookOutFor } from "./loop-lookout.js";
import { MessageReader, MessageWriter, RangeCodecError } from "./native-codec.js";
import { counter, counterBytes, type NativeAnswer, type NativeQuestion, type SharedMemory } from "./native-messages.js";

/**
 * A thread that makes one native call at a time, synchronously, so that errno is exact and the event loop goes on. Questions
 * and answers pass through shared memory, and both sides wait for a counter there: a trip takes about 50 µs, half of what
 * `postMessage` takes, and no more than a trip to libuv's threads.
 */
export class NativeThread {
  readonly #worker: Worker;
  readonly #counters: Int32Array;
  readonly #writer: MessageWriter;
  readonly #reader: MessageReader;
  #answered = 0;
  #failure: Error | null = null;
  readonly #end: (cause?: unknown) => void;
  /** Wakes the call that is being made. */
  #tellEnd: () => void = () => undefined;

  /** `ended`: it takes no more calls. */
  constructor(ended: () => void) {
    const memory: SharedMemory = {
      counters: new SharedArrayBuffer(counterBytes),
      message: new SharedArrayBuffer(hostLimits.nativeMessageBytes),
    };
    this.#counters = new Int32Array(memory.counters);
    const message = new Uint8Array(memory.message);
    this.#writer = new MessageWriter(message);
    this.#reader = new MessageReader(message);
    this.#worker = new Worker(new URL("./native-worker.js", import.meta.url), { execArgv: [], workerData: memory });
    this.#worker.unref();
    this.#end = (cause) => {
      if (this.#failure !== null) return;
      this.#failure = hostError("EIO", "A thread for native calls has ended", cause);
      this.#tellEnd();
      ended();
    };
    this.#worker.on("error", this.#end);
    this.#worker.on("exit", () => this.#end());
  }

  /** One call at a time. */
  async ask(question: NativeQuestion): Promise<NativeAnswer> {
    if (this.#failure !== null) throw this.#failure;
    this.#put(question);
    // Waiting for memory does not keep a process alive, but a thread does.
    this.#worker.ref();
    try {
      await lookOutFor(() => this.#isAnswered || this.#failure !== null);
      // Being woken is not yet an answer: the other side may have been late to tell of the one before.
      while (!this.#isAnswered) {
        if (this.#failure !== null) throw this.#failure;
        const { async, value } = Atomics.waitAsync(this.#counters, counter.answered, this.#answered);
        // A thread that answers and ends may be heard to end first: the answer counts.
        if (async) await Promise.race([value, this.#ending()]);
      }
    } finally {
      this.#worker.unref();
    }
    answered();
    this.#answered += 1;
    return this.#reader.read() as NativeAnswer;
  }

  get #isAnswered(): boolean {
    return Atomics.load(this.#counters, counter.answered) !== this.#answered;
  }

  /** Ends it after the call that it is in, whose caller does not wait for ever either. */
  async close(): Promise<void> {
    Atomics.store(this.#counters, counter.closing, 1);
    Atomics.add(this.#counters, counter.asked, 1);
    Atomics.notify(this.#counters, counter.asked);
    await endOfThread(this.#worker);
    this.#end();
  }

  #ending(): Promise<void> {
    return new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
  }

  #put(question: NativeQuestion): void {
    try {
      this.#writer.write(question);
    } catch (failure) {
      if (failure instanceof RangeCodecError)
        throw hostError("EINVAL", "A native call has too large a number", failure);
      throw hostError("E2BIG", "A native call has too long arguments", failure);
    }
    Atomics.add(this.#counters, counter.asked, 1);
    Atomics.notify(this.#counters, counter.asked);
  }
}
