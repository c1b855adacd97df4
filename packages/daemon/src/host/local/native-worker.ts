import { workerData } from "node:worker_threads";
import { leadsThere, NativeFailure, nativeCalls } from "./native-calls.js";
import { MessageReader, MessageWriter } from "./native-codec.js";
import { counter, type NativeAnswer, type NativeQuestion, type SharedMemory } from "./native-messages.js";

/**
 * Entry of the threads that `native-thread.ts` starts. It sleeps on a counter instead of listening for messages: waking it
 * that way takes half the time.
 */
const { counters: countersMemory, message: messageMemory } = workerData as SharedMemory;
const counters = new Int32Array(countersMemory);
const reader = new MessageReader(new Uint8Array(messageMemory));
const writer = new MessageWriter(new Uint8Array(messageMemory));

for (let asked = 0; ; asked += 1) {
  // Being woken is not yet a question: the other side may have been late to tell of the one before.
  while (Atomics.load(counters, counter.asked) === asked) Atomics.wait(counters, counter.asked, asked);
  // The last step of the counter is the order to end.
  if (Atomics.load(counters, counter.closing) !== 0 && Atomics.load(counters, counter.asked) === asked + 1) break;
  send(perform(reader.read() as NativeQuestion));
  Atomics.add(counters, counter.answered, 1);
  Atomics.notify(counters, counter.answered);
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
