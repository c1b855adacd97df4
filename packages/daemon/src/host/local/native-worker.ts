import { availableParallelism } from "node:os";
import { workerData } from "node:worker_threads";
import { hostLimits } from "../../limits.js";
import * as system from "../system-calls.js";
import { doWhatIsLeft } from "./left-to-do.js";
import { leadsThere, nativeCalls } from "./native-calls.js";
import { MessageReader, MessageWriter } from "./native-codec.js";
import { NativeFailure } from "./native-facts.js";
import { counter, type NativeAnswer, type NativeQuestion, type SharedMemory } from "./native-messages.js";

/**
 * Entry of the threads that `native-thread.ts` starts. It sleeps on a counter instead of listening for messages: waking it
 * that way takes half the time. Where calls follow closely it does not sleep in between, which takes less still.
 */
const { counters: countersMemory, message: messageMemory } = workerData as SharedMemory;
const counters = new Int32Array(countersMemory);
const reader = new MessageReader(new Uint8Array(messageMemory));
const writer = new MessageWriter(new Uint8Array(messageMemory));

/** The other side has one of its own to run on. */
const mayLookOut = availableParallelism() > 1;
let answeredAtMs = Number.NEGATIVE_INFINITY;
/** The call before followed the one before it closely, so the next one may. */
let followsClosely = false;

for (let asked = 0; ; asked += 1) {
  awaitQuestion(asked);
  // The last step of the counter is the order to end.
  if (Atomics.load(counters, counter.closing) !== 0 && Atomics.load(counters, counter.asked) === asked + 1) break;
  send(perform(reader.read() as NativeQuestion));
  answeredAtMs = performance.now();
  Atomics.add(counters, counter.answered, 1);
  Atomics.notify(counters, counter.answered);
  doWhatIsLeft();
}

function awaitQuestion(asked: number): void {
  const lookoutEndsAtMs = answeredAtMs + hostLimits.nativeLookoutMs;
  if (followsClosely) {
    while (Atomics.load(counters, counter.asked) === asked && performance.now() < lookoutEndsAtMs)
      system.yieldProcessor();
  }
  // Being woken is not yet a question: the other side may have been late to tell of the one before.
  while (Atomics.load(counters, counter.asked) === asked) Atomics.wait(counters, counter.asked, asked);
  followsClosely = mayLookOut && performance.now() < lookoutEndsAtMs;
}

function send(answer: NativeAnswer): void {
  try {
    writer.write(answer);
  } catch (failure) {
    writer.write({ message: String(failure) } satisfies NativeAnswer);
  }
}

function perform([name, args, guard]: NativeQuestion): NativeAnswer {
  try {
    if (guard !== null && !leadsThere(guard)) return { moved: true };
    // The question's type says that these belong together; a union of functions cannot be told so.
    return { value: (nativeCalls[name] as (args: unknown) => NativeAnswer & never)(args) };
  } catch (failure) {
    if (failure instanceof NativeFailure) return { errno: failure.errno, step: failure.step };
    return { message: failure instanceof Error ? failure.message : String(failure) };
  }
}
