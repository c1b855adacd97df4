import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run, runDaemon } from "../guest/run.js";
import type { GuestOptions, Lane } from "../lanes/guest.js";
import { PROJECT } from "../lanes/job.js";
import { qemuLane } from "../lanes/qemu.js";
import { umlLane } from "../lanes/uml.js";

const TIME_LIMIT_MS = 150_000;
const TEST_TIMEOUT_MS = 2 * TIME_LIMIT_MS;

describe.each([umlLane, qemuLane])("the lane $name", { timeout: TEST_TIMEOUT_MS }, (lane) => {
  // What guests leave in the place for temporary files must not be mixed with that of guests beside us.
  const usualPlace = process.env["TMPDIR"];
  let place: string;

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "cistern-lanes-"));
    process.env["TMPDIR"] = place;
  });
  afterAll(() => {
    if (usualPlace === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = usualPlace;
    rmSync(place, { recursive: true, force: true });
  });
  beforeEach((context) => {
    const reason = lane.unavailable();
    context.skip(reason !== undefined, reason);
  });

  it("brings output, results and status back as they were, and leaves nothing", async () => {
    const results = mkdtempSync(join(place, "results-"));
    const layer = mkdtempSync(join(place, "layer-"));
    mkdirSync(join(layer, "usr"));
    writeFileSync(join(layer, "usr/lab-layer"), " laid over");
    const script = [
      "head -c 1000000 /dev/urandom >/run/lab/job/results/bytes && cat /run/lab/job/results/bytes",
      'printf "%s %s" "$GREETING" "$(pwd)" >&2 && cat /usr/lab-layer >&2',
      "touch package.json /lab-was-here && exit 7",
    ].join("\n");
    const options = { environment: { GREETING: "it's me" }, results, layers: [layer] };
    const { status, stdout, stderr } = await runIn(lane, script, options);
    expect(status).toBe(7);
    expect(digest(stdout)).toBe(digest(readFileSync(join(results, "bytes"))));
    expect(String(stderr)).toBe(`it's me ${PROJECT} laid over`);
    expect(existsSync("/lab-was-here")).toBe(false);
    for (const own of [results, layer]) rmSync(own, { recursive: true });
    expect(readdirSync(place)).toEqual([]);
  });

  it("says that a guest died without a status, with its last words", async () => {
    const death = runIn(lane, "echo o >/proc/sysrq-trigger && sleep 100");
    await expect(death).rejects.toMatchObject({ code: "died", message: expect.stringContaining("Power") });
    expect(readdirSync(place)).toEqual([]);
  });
});

describe("a guest's time limit", () => {
  it("ends it and says so", { timeout: TEST_TIMEOUT_MS }, async (context) => {
    const reason = umlLane.unavailable();
    context.skip(reason !== undefined, reason);
    const late = runIn(umlLane, "sleep 100", { timeLimitMs: 1_000 });
    await expect(late).rejects.toMatchObject({ code: "time-limit", message: expect.stringContaining("1000 ms") });
  });
});

describe("a fixture", () => {
  it("refuses to change the machine that people work on", () => {
    expect(() => run("true")).toThrow("npm run lab");
    expect(() => runDaemon("true")).toThrow("npm run lab");
  });
});

interface Seen {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function runIn(lane: Lane, script: string, options: Partial<GuestOptions> = {}): Promise<Seen> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const guest = await lane.boot({
    command: ["bash", "-c", script],
    timeLimitMs: TIME_LIMIT_MS,
    onStdout: (bytes) => out.push(bytes),
    onStderr: (bytes) => err.push(bytes),
    ...options,
  });
  const { status } = await guest.ended;
  return { status, stdout: Buffer.concat(out), stderr: Buffer.concat(err) };
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
