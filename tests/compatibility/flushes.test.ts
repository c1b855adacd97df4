import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Pool, Volume } from "@cistern/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Stage } from "../bench/row.js";
import { openSides, type Sides, sidesUnavailable } from "../bench/sides.js";
import { TRACED_FOR_FLUSHES, weakerFlushes } from "../support/flushes.js";
import { missing } from "../support/requirements.js";
import { type TracedCall, Tracing } from "../support/strace.js";

const unavailable = sidesUnavailable() ?? missing({ programs: ["strace"] });
const VOLUME_BYTES = 4 * 1024 * 1024;
const SOURCE = "source.raw";
const TIMEOUT_MS = 60_000;

interface Operation {
  /** Not traced. */
  readonly prepare?: (stage: Stage, name: string) => Promise<unknown>;
  readonly run: (stage: Stage, name: string) => Promise<unknown>;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "create raw": { run: (stage, name) => create(stage, volume(name)) },
  "create raw, allocated": { run: (stage, name) => create(stage, volume(name, { allocationBytes: VOLUME_BYTES })) },
  "create qcow2": { run: (stage, name) => create(stage, volume(name, { format: "qcow2" })) },
  "clone raw": { run: (stage, name) => clone(stage, volume(name)) },
  "clone raw as qcow2": { run: (stage, name) => clone(stage, volume(name, { format: "qcow2" })) },
  upload: {
    prepare: (stage, name) => create(stage, volume(name)),
    run: async (stage, name) => pipeline([randomBytes(VOLUME_BYTES)], await found(stage, name).openUpload()),
  },
  wipe: { prepare: makeContent, run: (stage, name) => found(stage, name).wipe() },
};

let base: string;
let sides: Sides;

describe("what was promised to be there is as sure to be on the disk as with libvirtd", () => {
  beforeAll(async () => {
    if (unavailable !== null) return;
    base = await mkdtemp(join(tmpdir(), "fls-"));
    sides = await openSides(base, 1);
    for (const stage of [sides.cisternd, sides.libvirtd]) await makeContent(stage, SOURCE);
  });

  afterAll(async () => {
    if (unavailable !== null) return;
    await sides?.[Symbol.asyncDispose]();
    await rm(base, { recursive: true, force: true });
  });

  test.for(Object.entries(OPERATIONS))("%s", { timeout: TIMEOUT_MS }, async ([title, operation], context) => {
    if (unavailable !== null) context.skip(unavailable);
    const name = `${title.replaceAll(/\W+/g, "-")}.img`;
    const theirs = await traced(sides.libvirtd, name, operation);
    const ours = await traced(sides.cisternd, name, operation);
    const places = { theirs: sides.libvirtd.emptyPath, ours: sides.cisternd.emptyPath, others: [SOURCE] };
    expect(weakerFlushes(theirs, ours, places)).toEqual([]);
  });
});

async function traced(stage: Stage, name: string, { prepare, run }: Operation): Promise<readonly TracedCall[]> {
  await prepare?.(stage, name);
  const tracing = await Tracing.attach(stage.pid, join(base, `${stage.name}.trace`), { calls: TRACED_FOR_FLUSHES });
  await run(stage, name).finally(() => tracing.detach());
  return tracing.calls();
}

function create({ connection, empty }: Stage, xml: string): Promise<Volume> {
  return new Pool(connection, empty).createVolume(xml);
}

function clone(stage: Stage, xml: string): Promise<Volume> {
  return new Pool(stage.connection, stage.empty).cloneVolume(xml, found(stage, SOURCE));
}

/** A file with content that the pool has found. */
async function makeContent({ connection, empty, emptyPath }: Stage, name: string): Promise<void> {
  await using file = await open(join(emptyPath, name), "wx", 0o600);
  await file.writeFile(randomBytes(VOLUME_BYTES));
  await new Pool(connection, empty).refresh();
}

function found({ connection, empty, emptyPath }: Stage, name: string): Volume {
  return new Volume(connection, { pool: empty.name, name, key: join(emptyPath, name) });
}

function volume(name: string, { format = "raw", allocationBytes = 0 } = {}): string {
  return `<volume><name>${name}</name><capacity>${VOLUME_BYTES}</capacity><allocation>${allocationBytes}</allocation><target><format type='${format}'/></target></volume>`;
}
