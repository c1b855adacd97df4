import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Keepalive } from "../../dist/rpc/keepalive.js";

/** Time is the mock here, nothing else. */
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(intervalMs = 1000, count = 3): { keepalive: Keepalive; pings: () => number; gaveUp: () => boolean } {
  let pings = 0;
  let gaveUp = false;
  const keepalive = new Keepalive({
    intervalMs,
    count,
    ping: () => pings++,
    giveUp: () => {
      gaveUp = true;
    },
  });
  return { keepalive, pings: () => pings, gaveUp: () => gaveUp };
}

describe("keepalive", () => {
  it("asks nobody before it is started", () => {
    const { pings } = watched();
    vi.advanceTimersByTime(60_000);
    expect(pings()).toBe(0);
  });

  it("gives a silent client up after the last unanswered question", () => {
    const { keepalive, pings, gaveUp } = watched();
    keepalive.start();
    vi.advanceTimersByTime(3000);
    expect([pings(), gaveUp()]).toEqual([3, false]);
    vi.advanceTimersByTime(1000);
    expect(gaveUp()).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(pings()).toBe(3);
  });

  it("counts anew after any packet", () => {
    const { keepalive, gaveUp } = watched();
    keepalive.start();
    for (let second = 0; second < 20; second++) {
      vi.advanceTimersByTime(1000);
      if (second % 3 === 2) keepalive.heard();
    }
    expect(gaveUp()).toBe(false);
  });

  it("is off at an interval of 0 or less", () => {
    const { keepalive, pings } = watched(-1000);
    keepalive.start();
    vi.advanceTimersByTime(60_000);
    expect(pings()).toBe(0);
  });
});
