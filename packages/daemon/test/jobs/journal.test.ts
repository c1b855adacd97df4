import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Directory, HostError, Hosts } from "../../dist/host/index.js";
import { FileJournal } from "../../dist/jobs/journal.js";
import { limits } from "../../dist/limits.js";
import { factsOf } from "./interrupted.js";

const CUT = {
  kind: "content",
  directory: { path: "/images", inode: 1n },
  name: "a.img",
  sizeBytes: 4_096n,
} as const;
const CONTENT = { ...CUT, sizeBytes: null } as const;

let root: string;
let hosts: Hosts;
let journal: Directory;
const records = (): string[] => readdirSync(join(root, "journal"));

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "cistern-journal-"));
  mkdirSync(join(root, "journal"));
  hosts = new Hosts();
  journal = await hosts.local.openDirectory(join(root, "journal"));
});
afterEach(async () => {
  await journal.close();
  await hosts.close();
  rmSync(root, { recursive: true, force: true });
});

describe("the journal", () => {
  it("has a record for its owner's eyes until it is released", async () => {
    await new FileJournal(journal, () => {}).add(factsOf(), CONTENT);
    const [name = ""] = records();
    expect(statSync(join(root, "journal", name)).mode & 0o777).toBe(0o600);
    const recorded = await new FileJournal(journal, () => {}).add(factsOf(), { kind: "child", pid: 1, startTime: "1" });
    expect(records()).toHaveLength(2);
    await recorded.release();
    await recorded.release();
    expect(records()).toEqual([name]);
  });

  it("has a record on disk with its name when the work begins; of a program nothing has to outlive the machine", async () => {
    const steps: string[] = [];
    const watched = watching(journal, (call) => steps.push(call), {
      open: (file: object) => watching(file, (call) => steps.push(`file.${call}`), {}),
    });
    const writer = new FileJournal(watched, () => {});
    await writer.add(factsOf(), { kind: "device", path: "/dev/a" });
    expect(steps.splice(0)).toEqual(["open", "file.write", "file.sync", "sync", "file.close"]);
    await writer.add(factsOf(), { kind: "child", pid: 1, startTime: "1" });
    expect(steps).toEqual(["open", "file.write", "file.close"]);
  });

  it("that cannot be written refuses the work, and leaves no half record", async () => {
    const writer = new FileJournal(journal, () => {});
    rmSync(join(root, "journal"), { recursive: true });
    await expect(writer.add(factsOf(), CONTENT)).rejects.toThrow(
      `clone volume 'a.img' of pool 'images': it cannot be written down in the journal '${join(root, "journal")}': No such file or directory`,
    );
  });
});

describe("a record by which a file would be cut back", () => {
  const path = (): string => join(root, "journal", records()[0] ?? "");
  /** The time of the only record is made an old one. */
  const age = (): void => utimesSync(path(), 1_000, 1_000);
  const isTouched = () => statSync(path()).mtimeMs > 1_000_000;
  const whileTouched = { timeout: 5 * limits.recordAliveMs };

  it("is touched as long as it is held, and stays what it is", async () => {
    await new FileJournal(journal, () => {}).add(factsOf(), CUT);
    const content = readFileSync(path());
    for (let count = 0; count < 2; count++) {
      age();
      await expect.poll(isTouched, whileTouched).toBe(true);
    }
    expect(readFileSync(path())).toEqual(content);
  });

  it("does not keep the process from ending", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    await new FileJournal(journal, () => {}).add(factsOf(), CUT);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  describe("by a clock", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
    afterEach(() => void vi.useRealTimers());

    it("is touched by one timer, which is gone with the last one; others have none", async () => {
      const writer = new FileJournal(journal, () => {});
      await writer.add(factsOf(), CONTENT);
      await writer.add(factsOf(), { kind: "device", path: "/dev/a" });
      expect(vi.getTimerCount()).toBe(0);
      const [first, second] = [await writer.add(factsOf(), CUT), await writer.add(factsOf(), CUT)];
      expect(vi.getTimerCount()).toBe(1);
      await first.release();
      expect(vi.getTimerCount()).toBe(1);
      await second.release();
      expect(vi.getTimerCount()).toBe(0);
    });

    it("is removed after the touch that is under way, and none follows", async () => {
      const steps: string[] = [];
      let gate = Promise.resolve();
      const slow = watching(journal, (call) => steps.push(call), {
        open: (file: object) => watching(file, (call) => (call === "write" ? gate : null), {}),
      });
      const recorded = await new FileJournal(slow, () => {}).add(factsOf(), CUT);
      steps.length = 0;
      let go = (): void => {};
      gate = new Promise((resolve) => {
        go = resolve;
      });
      vi.advanceTimersByTime(2 * limits.recordAliveMs);
      const released = recorded.release();
      vi.advanceTimersByTime(limits.recordAliveMs);
      await sleep(50);
      steps.push("the touch goes on");
      go();
      await released;
      expect(steps).toEqual(["open", "the touch goes on", "removeFile", "sync"]);
      expect(records()).toEqual([]);
    });

    it("that somebody took away is not made again", async () => {
      const recorded = await new FileJournal(journal, () => {}).add(factsOf(), CUT);
      rmSync(path());
      vi.advanceTimersByTime(limits.recordAliveMs);
      expect(await recorded.release()).toBeNull();
      expect(records()).toEqual([]);
    });
  });

  it("is gone from the disk when it is released; of others that is left to the file system", async () => {
    const steps: string[] = [];
    const writer = new FileJournal(
      watching(journal, (call) => void steps.push(call), {}),
      () => {},
    );
    for (const [trace, expected] of [
      [CUT, ["removeFile", "sync"]],
      [CONTENT, ["removeFile"]],
    ] as const) {
      const recorded = await writer.add(factsOf(), trace);
      steps.length = 0;
      expect(await recorded.release()).toBeNull();
      expect(steps).toEqual(expected);
    }
  });

  it("that somebody else has removed may come back all the same, as long as that is not on the disk", async () => {
    let broken = false;
    const failing = watching(
      journal,
      (name) => {
        if (broken && name === "sync") throw new HostError("EIO", 5, "a bad sector");
      },
      {},
    );
    const recorded = await new FileJournal(failing, () => {}).add(factsOf(), CUT);
    for (const name of records()) rmSync(join(root, "journal", name));
    broken = true;
    expect(await recorded.release()).toMatchObject({ code: "EIO" });
    broken = false;
    expect(await recorded.release()).toBeNull();
  });

  it.each(["removeFile", "sync"])("says that it may come back: %s", async (call) => {
    const problems: string[] = [];
    let broken = false;
    const failing = watching(
      journal,
      (name) => {
        if (broken && name === call) throw new HostError("EIO", 5, "a bad sector");
      },
      {},
    );
    const writer = new FileJournal(failing, (text) => problems.push(text));
    const [recorded, other] = [await writer.add(factsOf(), CUT), await writer.add(factsOf(), CONTENT)];
    broken = true;
    expect(await recorded.release()).toMatchObject({ code: "EIO" });
    expect(await other.release()).toBeNull();
    expect(problems).toHaveLength(call === "sync" ? 1 : 2);
  });
});

/** The same object, whose calls are told by name, and wait for what that gives; `results`: what is made of what a call gives. */
function watching<T extends object>(
  of: T,
  called: (name: string) => unknown,
  results: Readonly<Record<string, (result: object) => object>>,
): T {
  return new Proxy(of, {
    get: (target, property) => {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        await called(String(property));
        const result = await value.apply(target, args);
        return results[String(property)]?.(result) ?? result;
      };
    },
  });
}
