import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolType } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { type Directory, type Host, HostError, Hosts } from "../../dist/host/index.js";
import type { UnitTrace } from "../../dist/jobs/job.js";
import type { JobFacts } from "../../dist/jobs/job-facts.js";
import { FileJournal } from "../../dist/jobs/journal.js";
import { Recovery } from "../../dist/jobs/recovery.js";
import { limits } from "../../dist/limits.js";
import { pool as poolDocument } from "../drivers/documents.js";
import { hostWith, standIn } from "../drivers/stand-in.js";
import { factsOf } from "./interrupted.js";

const TEMPORARY = ".cistern-0123456789abcdef.part";
const OTHER_TEMPORARY = ".cistern-fedcba9876543210.part";

let root: string;
let hosts: Hosts;
let journal: Directory;
let reports: { readonly text: string; readonly facts: Readonly<Record<string, unknown>> }[];
let hostAt: (path: string) => Promise<Host>;
let orphans: { readonly killed: readonly string[]; readonly stuck: readonly string[] };

const images = (...names: string[]): string => join(root, "images", ...names);
const records = (): string[] => readdirSync(join(root, "journal"));
const texts = (): string[] => reports.map(({ text }) => text);

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "cistern-recovery-"));
  mkdirSync(join(root, "journal"));
  mkdirSync(images());
  hosts = new Hosts();
  journal = await hosts.local.openDirectory(join(root, "journal"));
  reports = [];
  units.clear();
  hostAt = async () => hosts.local;
  orphans = { killed: [], stuck: [] };
});
afterEach(async () => {
  await journal.close();
  await hosts.close();
  rmSync(root, { recursive: true, force: true });
});

/** What a daemon that died had written down. */
async function record(
  kind: "temporary" | "resize" | "content",
  name: string,
  about: Partial<JobFacts> = {},
): Promise<void> {
  const writer = new FileJournal(journal, (text) => {
    throw new Error(text);
  });
  const directory = { path: images(), inode: statSync(images(), { bigint: true }).ino };
  const trace = kind === "content" ? { kind, directory, name, sizeBytes: null } : { kind, directory, name };
  await writer.add(factsOf(about), trace);
}

/** Units of the storage that the test plays, by name; one that does not answer is null. */
const units = new Map<string, string | null>();
const undoUnit = async ({ name, identity }: UnitTrace): Promise<string> => {
  const unit = units.get(name);
  if (unit === null) throw new HostError("EIO", 5, "the storage is not there");
  if (unit !== identity) return "nothing is left of it";
  units.delete(name);
  return `'${name}' was removed`;
};

/** By which the pool's arrival is told, and what it gives those who ask. */
let recovery: Recovery;
const recalled: Omit<JobFacts, "id">[] = [];
function begin(of = journal): void {
  recovery = new Recovery(of, {
    hostAt: (path) => hostAt(path),
    undoUnit,
    endOrphans: async () => orphans,
    recall: (job) => void recalled.push(job),
    report: (text, facts) => reports.push({ text, facts }),
  });
}

/** What a daemon that begins does. */
async function recoverNow(of = journal): Promise<readonly Omit<JobFacts, "id">[]> {
  begin(of);
  await recovery.atStart();
  return recalled.splice(0);
}

/** A pool starts, whose files lie there. */
async function arrives(
  path: string,
  type: PoolType = "dir",
  name = "images",
): Promise<readonly Omit<JobFacts, "id">[]> {
  await recovery.at(poolDocument(type, path, { name }));
  return recalled.splice(0);
}

describe("recovery", () => {
  it("removes a temporary file, and nothing else", async () => {
    for (const name of [TEMPORARY, OTHER_TEMPORARY, "a.img"]) writeFileSync(images(name), "x");
    await record("temporary", TEMPORARY);
    const [job] = await recoverNow();
    expect(readdirSync(images()).sort()).toEqual([OTHER_TEMPORARY, "a.img"].sort());
    expect(records()).toEqual([]);
    expect(job).toMatchObject({ kind: "clone", pool: "images", volume: "a.img", state: "interrupted" });
    expect(job?.remarks).toEqual([
      `clone volume 'a.img' of pool 'images': interrupted by the end of the daemon; '${images(TEMPORARY)}' was removed`,
    ]);
    expect(texts()).toEqual(job?.remarks);
  });

  it("removes a temporary directory with what is in it", async () => {
    mkdirSync(images(TEMPORARY, "deep"), { recursive: true });
    writeFileSync(images(TEMPORARY, "deep", "file"), "x");
    await record("temporary", TEMPORARY);
    await recoverNow();
    expect(readdirSync(images())).toEqual([]);
    expect(records()).toEqual([]);
  });

  it("does not follow a symlink that has the temporary name", async () => {
    writeFileSync(join(root, "precious"), "x");
    symlinkSync(join(root, "precious"), images(TEMPORARY));
    await record("temporary", TEMPORARY);
    await recoverNow();
    expect(existsSync(join(root, "precious"))).toBe(true);
    expect(readdirSync(images())).toEqual([]);
  });

  it("names a volume whose content is of two minds, and leaves it as it is", async () => {
    writeFileSync(images("a.img"), "old and new");
    await record("content", "a.img", { kind: "wipe" });
    const [job] = await recoverNow();
    expect(readFileSync(images("a.img"), "utf8")).toBe("old and new");
    expect(records()).toEqual([]);
    expect(job?.remarks[0]).toContain(
      `the content of '${images("a.img")}' is incomplete: part of it is old and part is new`,
    );
  });

  it("of a resize leaves the file's length as it is", async () => {
    writeFileSync(images("a.img"), "12345");
    await record("resize", "a.img", { kind: "resize" });
    const [job] = await recoverNow();
    expect(statSync(images("a.img")).size).toBe(5);
    expect(job?.remarks[0]).toContain(`'${images("a.img")}' has 5 bytes`);
    expect(records()).toEqual([]);
  });

  it("of a resize follows no symlink: what it leads to may be another's", async () => {
    const precious = join(root, "precious");
    writeFileSync(precious, "12345");
    utimesSync(precious, 1_000, 1_000);
    symlinkSync(precious, images("a.img"));
    await record("resize", "a.img", { kind: "resize" });
    const [job] = await recoverNow();
    expect(job?.remarks[0]).toContain(`; '${images("a.img")}' is a symlink, which was not followed`);
    expect(statSync(precious).mtimeMs).toBe(1_000_000);
    expect(records()).toEqual([]);
  });

  it.each(["temporary", "resize", "content"] as const)("finds nothing left of a %s that is gone", async (kind) => {
    await record(kind, TEMPORARY);
    const [job] = await recoverNow();
    expect(job?.remarks[0]).toContain("nothing is left of it");
    expect(records()).toEqual([]);
  });

  it("tells several traces of one job as one story", async () => {
    writeFileSync(images(TEMPORARY), "x");
    const startedAt = new Date(1_700_000_000_000);
    await record("temporary", TEMPORARY, { startedAt });
    await record("content", "gone", { startedAt });
    await record("content", "gone", { startedAt: new Date(1_700_000_000_001) });
    const jobs = await recoverNow();
    expect(jobs.map(({ remarks }) => remarks.length).sort()).toEqual([1, 2]);
  });

  it("is done once: a second one finds nothing", async () => {
    writeFileSync(images(TEMPORARY), "x");
    await record("temporary", TEMPORARY);
    expect(await recoverNow()).toHaveLength(1);
    expect(await recoverNow()).toEqual([]);
  });
});

describe("a file of which the length is recorded", () => {
  const HAD = 4_096n;
  const incomplete = () => `the content of '${images("a.img")}' is incomplete: part of it is old and part is new`;
  const left = (bytes: number) =>
    `'${images("a.img")}' has ${bytes} bytes, and had 4096 before; it may have been changed otherwise, and is left as it is`;
  const told = (job: Omit<JobFacts, "id"> | undefined) => job?.remarks.map((text) => text.replace(/^[^;]*; /, ""));

  /** What a daemon wrote down that died so long ago. */
  async function died(
    secondsAgo: number,
    sizeBytes: bigint | null = HAD,
    startedAt = new Date(Date.now() - 3_600_000),
  ): Promise<void> {
    const directory = { path: images(), inode: statSync(images(), { bigint: true }).ino };
    const writer = new FileJournal(journal, () => {});
    const before = records();
    await writer.add(factsOf({ kind: "upload", startedAt }), { kind: "content", directory, name: "a.img", sizeBytes });
    const time = Date.now() / 1_000 - secondsAgo;
    for (const name of records()) if (!before.includes(name)) utimesSync(join(root, "journal", name), time, time);
  }
  // The writer lives on in this process: its touches are not to come.
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());

  it("is cut back to it, and its record goes from the disk", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(0);
    const steps: string[] = [];
    const [job] = await recoverNow(
      standIn(journal, {
        removeFile: (name) => {
          steps.push("remove");
          return journal.removeFile(name);
        },
        sync: async () => void steps.push("sync"),
      }),
    );
    expect(readFileSync(images("a.img")).equals(Buffer.alloc(4_096, 1))).toBe(true);
    expect(told(job)).toEqual([`'${images("a.img")}' was cut back to 4096 bytes; ${incomplete()}`]);
    expect([steps, records()]).toEqual([["remove", "sync"], []]);
  });

  it("is on the disk when its record goes", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(0);
    const steps: string[] = [];
    const watched = hostWith(hosts.local, (directory) => ({
      open: async (name, request) => {
        const file = await directory.open(name, request);
        return standIn(file, {
          truncate: (sizeBytes) => {
            steps.push(`truncate ${sizeBytes}`);
            return file.truncate(sizeBytes);
          },
          sync: async () => void steps.push("sync"),
        });
      },
    }));
    hostAt = async () => watched;
    await recoverNow();
    expect(steps).toEqual(["truncate 4096", "sync"]);
  });

  it("is cut back where its daemon was busy at the end, and not where it was written later", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died((limits.recordAliveMs * limits.recordAliveSlack) / 1_000 - 2);
    await recoverNow();
    expect(statSync(images("a.img")).size).toBe(4_096);

    truncateSync(images("a.img"), 16_384);
    await died((limits.recordAliveMs * limits.recordAliveSlack) / 1_000 + 1);
    const [job] = await recoverNow();
    expect(told(job)).toEqual([`${left(16_384)}; ${incomplete()}`]);
    expect(statSync(images("a.img")).size).toBe(16_384);
    expect(records()).toEqual([]);
  });

  it("is left as it is where another one, of an earlier time, was put in its place", async () => {
    writeFileSync(images("from the backup"), Buffer.alloc(8_192, 1));
    utimesSync(images("from the backup"), 1_000, 1_000);
    await died(60);
    renameSync(images("from the backup"), images("a.img"));
    const [job] = await recoverNow();
    expect(told(job)).toEqual([`${left(8_192)}; ${incomplete()}`]);
    expect(statSync(images("a.img")).size).toBe(8_192);
  });

  it("is left as it is where it was changed before the job began: it is another file system's", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    const slackMs = limits.recordAliveMs * limits.recordAliveSlack;
    await died(0, HAD, new Date(Date.now() + slackMs + 1_000));
    const [job] = await recoverNow();
    expect(told(job)).toEqual([`${left(8_192)}; ${incomplete()}`]);
    expect(statSync(images("a.img")).size).toBe(8_192);
  });

  it("is left as it is where the clock was ahead when the daemon died", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(-3_600);
    const [job] = await recoverNow();
    expect(told(job)).toEqual([`${left(8_192)}; ${incomplete()}`]);
    expect(statSync(images("a.img")).size).toBe(8_192);
  });

  it("is left as it is where the journal's time is a server's", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(0);
    const [job] = await recoverNow(standIn(journal, { host: standIn(hosts.local, { home: "remote" }) }));
    expect(told(job)).toEqual([`${left(8_192)}; ${incomplete()}`]);
    expect(statSync(images("a.img")).size).toBe(8_192);
  });

  it.each([0, 4_095, 4_096])("is not made longer, and not touched where it is not longer: %i bytes", async (bytes) => {
    writeFileSync(images("a.img"), Buffer.alloc(bytes, 1));
    utimesSync(images("a.img"), 1_000, 1_000);
    await died(0);
    const [job] = await recoverNow();
    expect(told(job)).toEqual([incomplete()]);
    expect(statSync(images("a.img"))).toMatchObject({ size: bytes, mtimeMs: 1_000_000 });
  });

  it("may have any where none is recorded", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(0, null);
    const [job] = await recoverNow();
    expect(told(job)).toEqual([incomplete()]);
    expect(statSync(images("a.img")).size).toBe(8_192);
  });

  it("is not what a symlink leads to", async () => {
    const precious = join(root, "precious");
    writeFileSync(precious, Buffer.alloc(8_192, 1));
    symlinkSync(precious, images("a.img"));
    await died(0);
    const [job] = await recoverNow();
    expect(told(job)).toEqual([incomplete()]);
    expect(statSync(precious).size).toBe(8_192);
    expect(records()).toEqual([]);
  });

  it("is not what a symlink leads to that comes between two looks", async () => {
    const precious = join(root, "precious");
    writeFileSync(precious, Buffer.alloc(8_192, 1));
    writeFileSync(images("a.img"), "");
    await died(0);
    const tricked = hostWith(hosts.local, (directory) => ({
      lookup: async (name, options) => {
        const facts = await directory.lookup(name, options);
        rmSync(images("a.img"));
        symlinkSync(precious, images("a.img"));
        return facts;
      },
    }));
    hostAt = async () => tricked;
    const [job] = await recoverNow();
    expect(told(job)).toEqual([`what it left in '${images()}' could not be undone`]);
    expect([statSync(precious).size, records().length]).toEqual([8_192, 1]);
  });

  it("is not a FIFO or a directory of its name", async () => {
    execFileSync("mkfifo", [images("a.img")]);
    await died(0);
    expect(told((await recoverNow())[0])).toEqual([incomplete()]);
    rmSync(images("a.img"));
    mkdirSync(images("a.img"));
    await died(0);
    expect(told((await recoverNow())[0])).toEqual([incomplete()]);
    expect(records()).toEqual([]);
  });

  it("keeps what was found out of its time until its storage is there", async () => {
    writeFileSync(images("a.img"), Buffer.alloc(8_192, 1));
    await died(0);
    renameSync(images(), join(root, "elsewhere"));
    await recoverNow();
    const [name = ""] = records();
    // What happens to the record afterwards says nothing of its daemon.
    utimesSync(join(root, "journal", name), 1_000, 1_000);
    renameSync(join(root, "elsewhere"), images());
    await arrives(images());
    expect(statSync(images("a.img")).size).toBe(4_096);
  });
});

describe("a record is kept for the next start", () => {
  it("while another directory lies where its own was, in which nothing is touched", async () => {
    writeFileSync(images(TEMPORARY), "x");
    await record("temporary", TEMPORARY);
    renameSync(images(), join(root, "elsewhere"));
    mkdirSync(images());
    writeFileSync(images(TEMPORARY), "another's");
    expect((await recoverNow())[0]?.remarks[0]).toContain(`'${images()}' is another directory now`);
    expect(records()).toHaveLength(1);
    expect(readFileSync(images(TEMPORARY), "utf8")).toBe("another's");

    rmSync(images(), { recursive: true });
    renameSync(join(root, "elsewhere"), images());
    await recoverNow();
    expect(records()).toEqual([]);
    expect(readdirSync(images())).toEqual([]);
  });

  it("while its directory is not there", async () => {
    await record("temporary", TEMPORARY);
    renameSync(images(), join(root, "elsewhere"));
    await recoverNow();
    expect(records()).toHaveLength(1);
  });

  it("of which nothing is said any more after a month, but which is not forgotten", async () => {
    writeFileSync(images(TEMPORARY), "x");
    const startedAt = new Date(Date.now() - limits.journalRecordToldMs - 1_000);
    await record("temporary", TEMPORARY, { startedAt });
    const later = new Date(Date.now() - limits.journalRecordToldMs + 60_000);
    await record("temporary", OTHER_TEMPORARY, { startedAt: later });
    renameSync(images(), join(root, "elsewhere"));
    expect(await recoverNow()).toMatchObject([{ startedAt: later }]);
    expect(records()).toHaveLength(2);

    renameSync(join(root, "elsewhere"), images());
    expect(await recoverNow()).toHaveLength(2);
    expect(texts()).toContainEqual(expect.stringContaining(`'${images(TEMPORARY)}' was removed`));
    expect(records()).toEqual([]);
    expect(readdirSync(images())).toEqual([]);
  });

  it("while a program of the earlier daemon cannot be ended, and so may still work on it", async () => {
    writeFileSync(images(TEMPORARY), "x");
    await record("temporary", TEMPORARY);
    orphans = { killed: ["qemu-img convert a b"], stuck: ["qemu-img convert c d"] };
    expect(await recoverNow()).toEqual([]);
    expect(existsSync(images(TEMPORARY))).toBe(true);
    expect(records()).toHaveLength(1);
    expect(texts()).toEqual([
      "a program of an earlier daemon was ended",
      "a program of an earlier daemon cannot be ended",
      "work of an earlier daemon is not undone while its program is stuck",
    ]);
    orphans = { killed: [], stuck: [] };
    await recoverNow();
    expect(existsSync(images(TEMPORARY))).toBe(false);
    expect(records()).toEqual([]);
  });

  it("that cannot be read: what it tells of may lie there", async () => {
    await record("temporary", TEMPORARY);
    const [name = ""] = records();
    const unreadable = new Proxy(journal, {
      get: (target, property) => {
        if (property === "readFile") return () => Promise.reject(new HostError("EIO", 5, "a bad sector"));
        const value = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await recoverNow(unreadable);
    expect(records()).toEqual([name]);
    expect(texts()).toEqual(["a record could not be read"]);
  });

  it("that another version wrote", async () => {
    writeFileSync(join(root, "journal/later.json"), '{"format":2}');
    expect(await recoverNow()).toEqual([]);
    expect(records()).toEqual(["later.json"]);
    expect(texts()).toEqual(["a record that is not understood was left alone"]);
  });
});

describe("a pool whose storage was not there when the daemon began", () => {
  const away = () => join(root, "elsewhere");
  /** Below the place where it will be mounted lies another directory. */
  beforeEach(async () => {
    writeFileSync(images(TEMPORARY), "x");
    await record("temporary", TEMPORARY);
    renameSync(images(), away());
    mkdirSync(images());
    await recoverNow();
    reports = [];
  });
  function mount(): void {
    rmSync(images(), { recursive: true });
    renameSync(away(), images());
  }

  it.each(["images", "."])("is recovered when it starts, once (target: %s)", async (target) => {
    mount();
    const path = join(root, target);
    const both = (await Promise.all([arrives(path), arrives(path)])).flat();
    expect(both).toMatchObject([{ state: "interrupted", volume: "a.img" }]);
    expect(texts()).toEqual([expect.stringContaining(`'${images(TEMPORARY)}' was removed`)]);
    expect([readdirSync(images()), records()]).toEqual([[], []]);
  });

  it("is left alone while others start", async () => {
    mount();
    for (const path of [images("deeper"), `${images()}2`, join(root, "other")]) await arrives(path);
    expect([readdirSync(images()), records().length, reports]).toEqual([[TEMPORARY], 1, []]);
  });

  it("is tried again as often as it starts, and what still cannot be done is told once", async () => {
    expect(await arrives(images())).toEqual([]);
    expect([reports, records().length]).toEqual([[], 1]);
    rmSync(images(), { recursive: true });
    expect(await arrives(images())).toHaveLength(1);
    expect(texts()).toEqual([expect.stringContaining("could not be undone")]);
    renameSync(away(), images());
    await arrives(images());
    expect([readdirSync(images()), records()]).toEqual([[], []]);
  });

  it("keeps what this daemon is making there now", async () => {
    mount();
    await arrives(images());
    writeFileSync(images(OTHER_TEMPORARY), "of a job that runs");
    await record("temporary", OTHER_TEMPORARY);
    await arrives(images());
    expect(readdirSync(images())).toEqual([OTHER_TEMPORARY]);
    expect(records()).toHaveLength(1);
  });
});

it("a record that was cut off is removed, with a word", async () => {
  writeFileSync(join(root, "journal/0123.json"), '{"format":1,"job":{"id":');
  writeFileSync(join(root, "journal/4567.json"), "");
  writeFileSync(join(root, "journal/a note of the administrator"), "");
  expect(await recoverNow()).toEqual([]);
  expect(records()).toEqual(["a note of the administrator"]);
  expect(reports).toHaveLength(2);
  expect(texts()[0]).toBe("a record that was cut off was removed: what it was for had not begun");
});

it("the record of a program is removed with the program", async () => {
  const writer = new FileJournal(journal, () => {});
  await writer.add(factsOf(), { kind: "child", pid: 4_711, startTime: "1" });
  expect(await recoverNow()).toEqual([]);
  expect(records()).toEqual([]);
  expect(reports).toEqual([]);
});

describe("recovery of what is no file", () => {
  const unit = { kind: "unit", poolType: "logical", place: "vg0", name: "new", identity: "1" } as const;
  const add = (trace: Parameters<FileJournal["add"]>[1]) => new FileJournal(journal, () => {}).add(factsOf(), trace);

  it("has a unit undone by the driver that made it, and says what was done", async () => {
    units.set("new", "1");
    await add(unit);
    const [job] = await recoverNow();
    expect(units.size).toBe(0);
    expect(job?.remarks).toEqual([expect.stringMatching(/interrupted by the end of the daemon; 'new' was removed$/)]);
    expect(records()).toEqual([]);
  });

  it("keeps the record of a unit whose storage is not there, for the next start", async () => {
    units.set("new", null);
    await add(unit);
    const [job] = await recoverNow();
    expect(job?.remarks).toEqual([expect.stringMatching(/; 'new' in 'vg0' could not be undone$/)]);
    expect(records()).toHaveLength(1);

    units.set("new", "1");
    expect(await arrives("/dev/vg0", "logical", "another")).toEqual([]);
    expect(await arrives("/dev/vg0", "logical", "images")).toHaveLength(1);
    expect([units.size, records()]).toEqual([0, []]);
  });

  it("says of a device that its content is not whole", async () => {
    await add({ kind: "device", path: "/dev/vg0/a" });
    const [job] = await recoverNow();
    expect(job?.remarks).toEqual([expect.stringMatching(/; the content of '\/dev\/vg0\/a' is incomplete/)]);
    expect(records()).toEqual([]);
  });
});

it("storage that does not answer is waited for once, however many records it has", async () => {
  let asked = 0;
  hostAt = () => {
    asked++;
    return Promise.reject(new HostError("ETIMEDOUT", 110, "no answer"));
  };
  for (const name of [TEMPORARY, OTHER_TEMPORARY, "a", "b"]) {
    await record(name.endsWith(".part") ? "temporary" : "content", name);
  }
  await recoverNow();
  expect(asked).toBe(1);
  expect(records()).toHaveLength(4);
});

it("mounts that do not answer are waited for once, however many directories have records, and hold no other up", async (context) => {
  const reason = missing(fuseRequirements);
  context.skip(reason !== null, reason ?? "");
  const DIRECTORIES = ["a", "b", "c", "d", "e"];
  const remoteTimeoutMs = 1_500;
  const mounts = ["first", "second"].map((name) => ({
    source: join(root, name),
    mountPoint: join(root, `${name}-mounted`),
  }));
  for (const { source, mountPoint } of mounts) {
    for (const name of DIRECTORIES) mkdirSync(join(source, name), { recursive: true });
    mkdirSync(mountPoint);
  }
  const fuses = await Promise.all(mounts.map(({ source, mountPoint }) => mountFuse(source, mountPoint)));
  const remote = new Hosts({ remoteTimeoutMs });
  const waits: string[] = [];
  const watched = new Map<Host, Host>();
  hostAt = async (path) => {
    const host = await remote.forPath(path);
    if (host.home === "local") return host;
    const openDirectory: Host["openDirectory"] = async (...args) => {
      waits.push("begins");
      try {
        return await host.openDirectory(...args);
      } finally {
        waits.push("ends");
      }
    };
    // By which of them it is, it is known what hangs together.
    if (!watched.has(host)) watched.set(host, standIn(host, { openDirectory }));
    return watched.get(host) ?? host;
  };
  try {
    const writer = new FileJournal(journal, () => {});
    for (const { mountPoint } of mounts) {
      for (const name of DIRECTORIES) {
        const path = join(mountPoint, name);
        const directory = { path, inode: statSync(path, { bigint: true }).ino };
        await writer.add(factsOf(), { kind: "temporary", directory, name: TEMPORARY });
      }
    }
    writeFileSync(images(TEMPORARY), "x");
    await record("temporary", TEMPORARY);
    for (const fuse of fuses) fuse.hang();
    await recoverNow();
    // At both mounts at once.
    expect(waits).toEqual(["begins", "begins", "ends", "ends"]);
    expect(texts().filter((text) => text.includes("could not be undone"))).toHaveLength(2 * DIRECTORIES.length);
    expect([readdirSync(images()), records().length]).toEqual([[], 2 * DIRECTORIES.length]);
  } finally {
    for (const fuse of fuses) fuse.recover();
    await remote.close();
    for (const fuse of fuses) await fuse.unmount();
  }
});
