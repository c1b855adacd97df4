import { parentPort } from "node:worker_threads";
import { cloneSync, setNoCopyOnWriteSync, truncateSync } from "../native.js";
import type { NativeCall } from "./native-thread.js";

/** Entry of the thread that `native-thread.ts` starts: calls come in order, and so do their errnos. */
parentPort?.on("message", (call: NativeCall) => {
  parentPort?.postMessage(perform(call));
});

function perform(call: NativeCall): number {
  switch (call.call) {
    case "clone":
      return cloneSync(call.target, call.source);
    case "setNoCopyOnWrite":
      return setNoCopyOnWriteSync(call.fd, call.value);
    case "truncate":
      return truncateSync(call.fd, call.sizeBytes);
  }
}
