import { deserialize, serialize } from "node:v8";
import { workerData } from "node:worker_threads";
import { NativeFailure, nativeCalls } from "./native-calls.js";
import { counter, type NativeAnswer, type NativeQuestion, type SharedMemory } from "./native-messages.js";

/**
 * Entry of the threads that `native-thread.ts` starts. It sleeps on a counter instead of listening for messages: waking it
 * that way takes half the time.
 */
const { counters: countersMemory, message: messageMemory } = workerData as SharedMemory;
const counters = new Int32Array(countersMemory);
const message = new Uint8Array(messageMemory);

for (let asked = 0; ; asked += 1) {
  // Being woken is not yet a question: the other side may have been late to tell of the one before.
  while (Atomics.load(counters, counter.asked) === asked) Atomics.wait(counters, counter.asked, asked);
  // A copy: what is read from it may refer to its memory.
  const question = deserialize(message.slice(0, counters[counter.length])) as NativeQuestion;
  const answer = serialize(perform(question));
  message.set(answer);
  counters[counter.length] = answer.length;
  Atomics.add(counters, counter.answered, 1);
  Atomics.notify(counters, counter.answered);
}

function perform([name, args]: NativeQuestion): NativeAnswer {
  try {
    // The question's type says that these belong together; a union of functions cannot be told so.
    return { value: (nativeCalls[name] as (args: unknown) => NativeAnswer & never)(args) };
  } catch (failure) {
    if (failure instanceof NativeFailure) return { errno: failure.errno, step: failure.step };
    return { message: failure instanceof Error ? failure.message : String(failure) };
  }
}
