import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Directory, Hosts } from "../../dist/host/index.js";
import { FileJournal } from "../../dist/jobs/journal.js";
import { factsOf } from "./interrupted.js";

const CONTENT = { kind: "content", directory: { path: "/images", inode: 1n }, name: "a.img" } as const;

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
    await expect(writer.add(factsOf(), CONTENT)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

/** The same object, whose calls are told by name; `results`: what is made of what a call gives. */
function watching<T extends object>(
  of: T,
  called: (name: string) => void,
  results: Readonly<Record<string, (result: object) => object>>,
): T {
  return new Proxy(of, {
    get: (target, property) => {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        called(String(property));
        const result = await value.apply(target, args);
        return results[String(property)]?.(result) ?? result;
      };
    },
  });
}
