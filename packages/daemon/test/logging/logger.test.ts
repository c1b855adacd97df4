import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLogger, type DaemonLogger, type LoggerOptions } from "../../dist/logging/index.js";

const LOGGING = JSON.stringify(fileURLToPath(new URL("../../dist/logging/index.js", import.meta.url)));

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cistern-log-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let files = 0;
/** What the log file holds after `work`. */
async function logged(options: Omit<LoggerOptions, "descriptor">, work: (log: DaemonLogger) => void): Promise<string> {
  const path = join(directory, `${files++}.log`);
  const log = createLogger({ ...options, descriptor: openSync(path, "a") });
  work(log);
  await log.close(); // closes the file as well
  return readFile(path, "utf8");
}

const entries = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("the log", () => {
  it("is JSON where nobody watches: a line per entry with time, level and message", async () => {
    const [entry] = entries(
      await logged({ level: "info", format: "auto" }, ({ logger }) => logger.warn({ pool: "a" }, "full")),
    );
    expect(entry).toEqual({
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      pool: "a",
      msg: "full",
    });
  });

  it("marks every line of a call", async () => {
    const text = await logged({ level: "debug", format: "json" }, ({ logger }) => {
      const call = logger.child({ call: "7.12", procedure: "STORAGE_POOL_CREATE" });
      call.info("one");
      call.child({ pool: "a" }).debug("two");
    });
    expect(entries(text)).toMatchObject([
      { call: "7.12", procedure: "STORAGE_POOL_CREATE", msg: "one" },
      { call: "7.12", procedure: "STORAGE_POOL_CREATE", pool: "a", msg: "two" },
    ]);
  });

  it("follows its level, also in children that were there before it changed", async () => {
    const text = await logged({ level: "info", format: "json" }, (log) => {
      const child = log.logger.child({ part: "x" });
      child.debug("hidden");
      log.setLevel("debug");
      child.debug("shown");
      log.setLevel("silent");
      child.fatal("hidden, too");
    });
    expect(entries(text).map((entry) => entry["msg"])).toEqual(["shown"]);
  });

  it("tells an error with its cause", async () => {
    const error = new Error("cannot start pool 'a'", { cause: new Error("no such device") });
    const text = await logged({ level: "info", format: "json" }, ({ logger }) =>
      logger.error({ err: error }, "failed"),
    );
    expect(entries(text)[0]).toMatchObject({
      msg: "failed",
      err: { message: expect.stringContaining("no such device") },
    });
  });

  it("does not tell what is secret, wherever it stands", async () => {
    const hidden = {
      value: "s3cret",
      args: { value: Buffer.from("s3cret"), secretValue: "s3cret" },
      a: { b: { password: "s3cret" } },
    };
    const text = await logged({ level: "info", format: "json" }, ({ logger }) => {
      logger.info({ ...hidden, uuid: "u" }, "set");
      logger.child({ token: "s3cret" }).info("child");
      logger.info({ identity: { "system.token": "s3cret" } }, "identity");
    });
    expect(text).not.toContain("s3cret");
    expect(text).not.toContain("115,51"); // the bytes of a Buffer
    expect(entries(text)[0]).toMatchObject({ uuid: "u", value: "[hidden]", a: { b: { password: "[hidden]" } } });
  });

  it("is text for people when asked for", async () => {
    const text = await logged({ level: "info", format: "text" }, ({ logger }) =>
      logger.info({ call: "7.12" }, "pool 'a' started"),
    );
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: pool 'a' started {"call":"7\.12"}\n$/);
  });

  it("does not stop the daemon when nobody reads it", async () => {
    const program = `
      import { createLogger } from ${LOGGING};
      import { writeFileSync } from "node:fs";
      const log = createLogger({ level: "info", format: "json" });
      const line = "x".repeat(1000);
      let longestMs = 0, rounds = 0, last = performance.now();
      const timer = setInterval(() => {
        longestMs = Math.max(longestMs, performance.now() - last);
        for (let i = 0; i < 500; i++) log.logger.info(line);
        last = performance.now();
        if (++rounds < 40) return;
        clearInterval(timer);
        writeFileSync(3, JSON.stringify({ longestMs, residentMiB: process.memoryUsage().rss >> 20 }));
        log.close().then(() => process.exit(7));
      }, 5);`;
    // Standard error is a pipe whose reader sleeps until it is told to end.
    const script = '{ "$0" --input-type=module -e "$1" 2>&1 >&4; echo "ended $?" >&4; } | { cat <&5 >/dev/null; :; }';
    const child = spawn("sh", ["-c", script, process.execPath, program], {
      stdio: ["ignore", "ignore", "inherit", "pipe", "pipe", "pipe"],
    });
    // Node's types stop at the fifth.
    const [, , , facts, end, release] = child.stdio as readonly unknown[];
    const ended = once(child, "exit");
    try {
      const [answer] = await once(facts as Readable, "data");
      const { longestMs, residentMiB } = JSON.parse(String(answer)) as { longestMs: number; residentMiB: number };
      expect(longestMs).toBeLessThan(500);
      expect(residentMiB).toBeLessThan(200);
      const [status] = await once(end as Readable, "data");
      expect(String(status)).toBe("ended 7\n");
    } finally {
      (release as Writable).end();
      await ended;
    }
  });
});
