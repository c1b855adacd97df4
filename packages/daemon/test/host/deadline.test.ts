import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
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

  describe("of many calls that have equally long", () => {
    afterEach(() => {
      vi.useRealTimers();
    });

    it("comes for each when its own time is over", async () => {
      vi.useFakeTimers();
      const ended: string[] = [];
      const call = (name: string, settled: Promise<string>): void => {
        withDeadline(name, settled, 100, undefined).then(
          () => ended.push(`${name} is back`),
          (failure: Error) => ended.push(failure.message),
        );
      };
      const never = new Promise<string>(() => undefined);
      call("first", never);
      await vi.advanceTimersByTimeAsync(40);
      call("second", Promise.resolve("result"));
      call("third", never);
      await vi.advanceTimersByTimeAsync(59);
      expect(ended).toEqual(["second is back"]);
      await vi.advanceTimersByTimeAsync(1);
      expect(ended).toEqual(["second is back", "first did not end within 100 ms: ETIMEDOUT"]);
      call("fourth", never);
      await vi.advanceTimersByTimeAsync(39);
      expect(ended).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(1);
      expect(ended.slice(2)).toEqual(["third did not end within 100 ms: ETIMEDOUT"]);
      await vi.advanceTimersByTimeAsync(60);
      expect(ended.slice(3)).toEqual(["fourth did not end within 100 ms: ETIMEDOUT"]);
      expect(vi.getTimerCount()).toBe(0);
      call("fifth", never);
      await vi.advanceTimersByTimeAsync(100);
      expect(ended.slice(4)).toEqual(["fifth did not end within 100 ms: ETIMEDOUT"]);
    });
  });
});
