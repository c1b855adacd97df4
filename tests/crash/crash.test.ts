import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { effort } from "../support/effort.js";
import { loopRequirements } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { choosePoints } from "./choose-points.js";
import { makeFixtures, removeFixtures } from "./fixtures.js";
import { type Crash, Lane, type Point } from "./lane.js";
import { OPERATIONS, type Operation } from "./operations.js";

/**
 * The daemon dies at a call by which an operation changes storage, is started again on what it left, and must have kept
 * its promises: a new volume is absent or complete; one that is changed in place has its old or its new size, and is named
 * in the log where its content is half written; nothing temporary, no journal record and no child is left; the pool's
 * numbers are the file system's.
 *
 * The calls are those that strace sees in an undisturbed run. For one operation, or one point of it:
 *
 *   CISTERN_CRASH_OPERATION='wipe a sparse volume' CISTERN_CRASH_POINT=3 npx vitest run --project crash
 *
 * CISTERN_CRASH_SEED chooses others. In a long run, all points are taken.
 */
const SEED = Number(process.env["CISTERN_CRASH_SEED"] ?? 1);
const ONLY_OPERATION = process.env["CISTERN_CRASH_OPERATION"];
const ONLY_POINT = process.env["CISTERN_CRASH_POINT"];
const LANES = 2;
/**
 * A counter goes by thread and call, and another thread's wake-up is such a call too: now and then one comes in between, or does
 * not come that was recorded (a directory is opened again that had been idle).
 */
const ATTEMPTS = 3;
/** Share of the points. */
const MOST_UNREACHED = 0.1;
const TEST_MS = 85 * 60_000;

const REQUIREMENTS = [
  { root: true, programs: ["strace", "qemu-img", "scrub"] },
  loopRequirements("ext4"),
  loopRequirements("xfs"),
];
const unavailable = REQUIREMENTS.map(missing).find((reason) => reason !== null) ?? null;

const lanes: Lane[] = [];
const waiting: ((lane: Lane) => void)[] = [];
const free: Lane[] = [];
let planned = 0;
let survived = 0;
let elsewhere = 0;
let unreached = 0;

beforeAll(async () => {
  if (unavailable !== null) return;
  makeFixtures();
  for (let index = 0; index < LANES; index++) lanes.push(await Lane.open());
  free.push(...lanes);
}, 120_000);

afterAll(async () => {
  if (planned > 0) {
    console.log(
      `crash points: ${survived} of ${planned} survived, seed ${SEED}; ${elsewhere} hit another call than planned, ${unreached} were not reached`,
    );
  }
  await Promise.all(lanes.map((lane) => lane.close()));
  removeFixtures();
}, 120_000);

describe("after the daemon's death nothing is half-made", () => {
  const chosen = OPERATIONS.filter(({ name }) => ONLY_OPERATION === undefined || name === ONLY_OPERATION);

  it("there is something to kill", () => {
    expect(chosen, `the operations are: ${OPERATIONS.map(({ name }) => name).join(", ")}`).not.toEqual([]);
  });

  it.concurrent.for(chosen.map((operation) => [operation.name, operation] as const))(
    "%s",
    { timeout: TEST_MS },
    async ([, operation], context) => {
      context.skip(unavailable !== null, unavailable ?? "");
      await withLane(async (lane) => {
        const all = await lane.record(operation);
        const points = pick(operation, all);
        const broken: string[] = [];
        planned += points.length;
        for (const point of points) {
          const crash = await crashAt(lane, operation, point);
          if (!crash.asPlanned) elsewhere += 1;
          if (crash.hit === null && comesAndGoes(operation, point)) unreached += 1;
          else if (crash.hit === null) broken.push(`point ${all.indexOf(point)}, ${point.line}: was not reached`);
          else if (crash.complaints.length === 0) survived += 1;
          const where = `point ${all.indexOf(point)} of ${all.length}, ${point.origin} ${crash.hit} (${crash.state})`;
          broken.push(...crash.complaints.map((complaint) => `${where}: ${complaint}`));
          if (ONLY_OPERATION !== undefined) console.log(`${where}: ${crash.complaints.join("; ") || "kept"}`);
        }
        expect(points.length).toBeGreaterThan(0);
        expect(broken.join("\n")).toBe("");
      });
    },
  );
});

describe("the list of points", () => {
  it("is one that operations come by", (context) => {
    context.skip(planned === 0, unavailable ?? "no operation was tried");
    // Few come and go; were it many, most of what is to be tried would not be.
    expect(unreached).toBeLessThanOrEqual(Math.ceil(planned * MOST_UNREACHED));
  });
});

/**
 * Not made every time: a job that ends at once is not written down; which of its threads makes a program's next call, each with
 * a counter of its own, is a matter of chance, as it is which of the daemon's writes the next piece of a wiped volume; an
 * upload writes at once what has come by then; and how often qemu-img is started before it has made a key, its clock decides.
 */
function comesAndGoes({ name }: Operation, { origin, line }: Point): boolean {
  if (origin === "child" || /\/var\/journal[>/]/.test(line)) return true;
  if (/encrypted/.test(name) && line.includes("/run/private/command-")) return true;
  return /^(upload|wipe)/.test(name) && line.startsWith("pwrite64(");
}

function pick(operation: Operation, all: readonly Point[]): readonly Point[] {
  if (ONLY_POINT !== undefined) return all.filter((_, index) => index === Number(ONLY_POINT));
  if (effort() === "long" || ONLY_OPERATION !== undefined) return all;
  return choosePoints(all, operation.points, SEED);
}

async function crashAt(lane: Lane, operation: Operation, point: Point): Promise<Crash> {
  let misses = 0;
  for (let attempt = 1; ; attempt++) {
    const ordinal = Math.max(1, point.ordinal - misses);
    // Whichever thread makes it this time.
    const watch = misses === 0 && attempt % 2 === 1 ? "thread" : "all";
    const crash = await lane.crash(operation, { ...point, ordinal }, watch);
    if (crash.hit === null) misses += 1;
    // Dying elsewhere tests something too, and what it finds counts.
    if (crash.asPlanned || crash.complaints.length > 0 || attempt === ATTEMPTS) return crash;
  }
}

async function withLane(work: (lane: Lane) => Promise<void>): Promise<void> {
  const lane = free.shift() ?? (await new Promise<Lane>((resolve) => waiting.push(resolve)));
  try {
    await work(lane);
  } finally {
    const next = waiting.shift();
    if (next === undefined) free.push(lane);
    else next(lane);
  }
}
