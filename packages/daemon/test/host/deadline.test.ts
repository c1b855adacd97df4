import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { withDeadline } from "../../dist/host/deadline.js";
import { codeOf } from "./support.ts";

/** What the call's caller got, and what was put away. */
async function outcome(
  call: Promise<string>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<{ caller: string; late: string[] }> {
  const late: string[] = [];
  const options = signal === undefined ? {} : { signal };
  const waited = withDeadline("Waiting", call, timeoutMs, options, (result) => late.push(result));
  const caller = await waited.catch(() => codeOf(waited));
  await delay(60);
  return { caller, late };
}

describe("a deadline", () => {
  it("leaves a call alone that is in time", async () => {
    expect(await outcome(delay(10, "result"), 1_000)).toEqual({ caller: "result", late: [] });
  });

  it("ends a call that is not, and puts its result away", async () => {
    expect(await outcome(delay(30, "result"), 5)).toEqual({ caller: "ETIMEDOUT", late: ["result"] });
  });

  it("gives a result to the caller or away, never both, when the caller has already lost interest", async () => {
    expect(await outcome(Promise.resolve("result"), 1_000, AbortSignal.abort())).toEqual({
      caller: "ECANCELED",
      late: ["result"],
    });
  });

  it("does not report a failure nobody waits for", async () => {
    const failure = delay(10).then(() => Promise.reject(new Error("too late")));
    expect(await outcome(failure, 1)).toEqual({ caller: "ETIMEDOUT", late: [] });
  });
});
