import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { type LoopMount, loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { type Directory, HostError, Hosts } from "../../dist/host/index.js";
import { pool, volume } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";
import { hostWith, standIn } from "./stand-in.js";

const FORMATS = ["raw", "dir"];

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
  mkdirSync(laboratory.path("images"));
  return () => laboratory.close();
});

const images = () => laboratory.path("images");

describe("on a server that gets a call, and does not answer", () => {
  const remoteTimeoutMs = 1_000;
  let hosts: Hosts;
  /** What the server keeps its files on: while it is frozen, changes wait; then they are made, whoever has gone meanwhile. */
  let disk: LoopMount;
  const freeze = () => void execFileSync("fsfreeze", ["--freeze", disk.mountPoint]);
  const thaw = () => void execFileSync("fsfreeze", ["--unfreeze", disk.mountPoint], { stdio: "ignore" });

  beforeEach(async (context) => {
    const reasons = [fuseRequirements, loopRequirements("ext4"), { programs: ["fsfreeze"] }].map(missing);
    const reason = reasons.find((each) => each !== null) ?? null;
    context.skip(reason !== null, reason ?? "");
    disk = mountLoop("ext4", 32 * 1_048_576);
    mkdirSync(kept());
    hosts = new Hosts({ remoteTimeoutMs });
    const server = await mountFuse(kept(), images());
    return async () => {
      try {
        thaw();
      } catch {
        // It was not frozen any more.
      }
      await hosts.close();
      await server.unmount();
      disk.unmount();
    };
  });

  const kept = () => join(disk.mountPoint, "images");
  const made = () => readdirSync(kept());

  async function creation(format: string, methods: (directory: Directory) => Partial<Directory>): Promise<string> {
    const host = hostWith(await hosts.forPath(images()), methods);
    const context = { ...(await laboratory.context()), host };
    return await errorOf(create(directoryDriver, pool("dir", images()), volume("v", { format }), context));
  }

  test.each(FORMATS)("what it may make after all stays on record: %s", async (format) => {
    const error = await creation(format, (directory) => ({
      createNamed: (...args) => {
        freeze();
        return directory.createNamed(...args);
      },
      makeDirectory: (...args) => {
        freeze();
        return directory.makeDirectory(...args);
      },
    }));
    expect(error).toContain("Connection timed out");
    expect(made()).toEqual([]);
    expect([...laboratory.traces]).toMatchObject([{ kind: "temporary", directory: { path: images() } }]);
    thaw();
    await expect.poll(made, { timeout: 5_000 }).toHaveLength(1);
    expect([...laboratory.traces]).toMatchObject([{ name: made()[0] }]);
  });

  test.each(FORMATS)("a name that it gave after all is taken back where it answers again: %s", async (format) => {
    let isTried = false;
    const error = await creation(format, (directory) => ({
      publishEntry: async (from, to, options) => {
        freeze();
        isTried = true;
        try {
          return await directory.publishEntry(from, to, { timeoutMs: remoteTimeoutMs, ...options });
        } finally {
          thaw();
          await expect.poll(made).toContain("v");
        }
      },
    }));
    expect(isTried).toBe(true);
    expect(error).toContain("Connection timed out");
    // Where the name was given by a link, the temporary one is there still.
    const recorded = [...laboratory.traces].map((trace) => trace.kind === "temporary" && trace.name);
    expect(made().filter((name) => !recorded.includes(name))).toEqual([]);
  });

  test("a creation that was called off before there was anything leaves no record", async () => {
    const context = await laboratory.context();
    const job = standIn(context.job, {
      record: async (trace) => {
        const recorded = await context.job.record(trace);
        laboratory.abort();
        return recorded;
      },
    });
    const host = await hosts.forPath(images());
    const made = create(directoryDriver, pool("dir", images()), volume("v"), { ...context, host, job });
    await expect(made).rejects.toThrow("operation aborted");
    expect(laboratory.traces.size).toBe(0);
  });
});

describe.each(FORMATS)("a volume of format %s", (format) => {
  /** What a creation leaves behind that fails in this way when the volume has its name. */
  async function leftOf(failure: HostError, before: () => void = () => {}): Promise<readonly string[]> {
    const context = await laboratory.context();
    const host = hostWith(laboratory.host, (directory) => ({
      createWhole: () => Promise.reject(new HostError("EOPNOTSUPP", 95, "no nameless files", { step: "create" })),
      createUnnamed: () => Promise.reject(new HostError("EOPNOTSUPP", 95, "no nameless files", { step: "create" })),
      publishEntry: async (from, to) => {
        await directory.publishEntry(from, to);
        before();
        throw failure;
      },
    }));
    const made = create(directoryDriver, pool("dir", images()), volume("v", { format }), { ...context, host });
    expect(await errorOf(made)).toContain("Input/output error");
    expect(laboratory.traces.size).toBe(0);
    return readdirSync(images());
  }

  test.each([
    ["it cannot be made durable", new HostError("EIO", 5, "the disk is on fire", { step: "sync" })],
    ["the process that gives it vanishes", new HostError("EIO", 5, "it has ended")],
  ])("does not keep its name where %s", async (_, failure) => {
    expect(await leftOf(failure)).toEqual([]);
  });

  test("is not taken for another one that has the name by then", async () => {
    const replace = () => {
      renameSync(join(images(), "v"), join(images(), "theirs"));
      writeFileSync(join(images(), "v"), "");
    };
    expect(await leftOf(new HostError("EIO", 5, "it has ended"), replace)).toEqual(["theirs", "v"]);
  });
});
