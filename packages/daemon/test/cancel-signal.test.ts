import { describe, expect, it } from "vitest";
import { anyOf, JobSignal, pause } from "../dist/cancel-signal.js";

const reason = new Error("enough");

describe("a job's signal", () => {
  it("tells each listener once, and not those that have gone or come late", () => {
    const signal = new JobSignal();
    const told: string[] = [];
    const gone = () => told.push("gone");
    const twice = () => told.push("twice");
    signal.addEventListener("abort", () => told.push("first"));
    signal.addEventListener("abort", gone);
    signal.addEventListener("abort", twice);
    signal.addEventListener("abort", twice);
    signal.removeEventListener("abort", gone);
    signal.throwIfAborted();
    expect(signal).toMatchObject({ aborted: false, reason: undefined });
    signal.abort(reason);
    signal.abort(new Error("another"));
    signal.addEventListener("abort", () => told.push("late"));
    expect(told).toEqual(["first", "twice"]);
    expect(signal).toMatchObject({ aborted: true, reason });
    expect(() => signal.throwIfAborted()).toThrow(reason);
  });
});

describe("any of several", () => {
  it("is given with the first of them, and has its reason", () => {
    const [one, other] = [new JobSignal(), new AbortController()];
    using either = anyOf(one, other.signal);
    expect(either.signal.aborted).toBe(false);
    other.abort(reason);
    one.abort(new Error("late"));
    expect(either.signal).toMatchObject({ aborted: true, reason });
    using already = anyOf(one, other.signal);
    expect(already.signal.aborted).toBe(true);
  });

  it("hears of nothing any more once it was disposed of", () => {
    const one = new JobSignal();
    const either = anyOf(one);
    either[Symbol.dispose]();
    one.abort(reason);
    expect(either.signal.aborted).toBe(false);
  });
});

describe("a pause", () => {
  it("ends with its time", async () => {
    const signal = new JobSignal();
    await pause(5, signal);
    expect(signal.aborted).toBe(false);
  });

  it("ends with its signal, and at once where that was given", async () => {
    const signal = new JobSignal();
    const paused = pause(60_000, signal);
    signal.abort(reason);
    await paused;
    await pause(60_000, signal);
  });
});
