/// <reference lib="es2024.sharedmemory" />
import { createHook } from "node:async_hooks";

/** Trips to libuv's threads: file calls, and native calls, which carry the name of their C function. */
const HOPS = /^(?:FSREQ|[a-z]+(?:xattr|statvfs64|lseek64|fallocate64)$)/;

/** How many trips to other threads `call` costs. */
export async function hopsOf(call: () => Promise<unknown>): Promise<number> {
  let hops = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (HOPS.test(type)) hops += 1;
    },
  });
  // Trips to our own threads, each of which is waited for so.
  const { waitAsync } = Atomics;
  Atomics.waitAsync = ((...args: Parameters<typeof waitAsync>) => {
    hops += 1;
    return waitAsync(...args);
  }) as typeof waitAsync;
  hook.enable();
  try {
    await call();
    return hops;
  } finally {
    hook.disable();
    Atomics.waitAsync = waitAsync;
  }
}
