import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Mutex } from "../../dist/jobs/mutex.js";

const overdue = (): Error => new Error("waited too long");

describe("a mutex", () => {
  it("lets one in at a time, in the order they came", async () => {
    const mutex = new Mutex(5_000, overdue);
    const log: string[] = [];
    await Promise.all(
      ["a", "b", "c"].map((name) =>
        mutex.run(async () => {
          log.push(`${name} in`);
          await sleep(5);
          log.push(`${name} out`);
        }),
      ),
    );
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
  });

  it("goes on after work that fails", async () => {
    const mutex = new Mutex(5_000, overdue);
    await expect(mutex.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await mutex.run(async () => "next")).toBe("next");
  });

  it("sends away who waits past the deadline, and serves who came later", async () => {
    const mutex = new Mutex(200, overdue);
    const long = mutex.run(() => sleep(300, "long"));
    const impatient = mutex.run(async () => "impatient");
    await expect(impatient).rejects.toThrow("waited too long");
    const later = mutex.run(async () => "later");
    expect(await Promise.all([long, later])).toEqual(["long", "later"]);
  });
});
