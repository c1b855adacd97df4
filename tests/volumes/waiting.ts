import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Job } from "@cistern/client";

const PATIENCE_MS = 20_000;

/** Asks again and again until there is an answer. `what`: for the failure. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`it did not come about: ${what}`);
    await sleep(10);
  }
}

export function jobThat(connection: Connection, is: Partial<Pick<Job, "kind" | "state" | "volume">>): Promise<Job> {
  const wanted = Object.entries(is) as [keyof Job, unknown][];
  return eventually(`a job that is ${JSON.stringify(is)}`, async () =>
    (await connection.listJobs({ ended: true })).find((job) => wanted.every(([field, value]) => job[field] === value)),
  );
}
