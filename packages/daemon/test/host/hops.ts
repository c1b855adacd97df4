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
  // Trips to our own threads, each of which is woken so.
  const { notify } = Atomics;
  Atomics.notify = ((memory: Int32Array, index: number, count?: number) => {
    hops += 1;
    return notify(memory, index, count);
  }) as typeof notify;
  hook.enable();
  try {
    await call();
    return hops;
  } finally {
    hook.disable();
    Atomics.notify = notify;
  }
}
