import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../../crash/operations.js";
import { effort } from "../../support/effort.js";
import { missing } from "../../support/requirements.js";
import type { Lane } from "../lanes/guest.js";
import { PROJECT } from "../lanes/job.js";
import { umlLane } from "../lanes/uml.js";

/**
 * The power is cut while an operation on a volume is under way, or right after the client was told that it is done. What the
 * kernel had not written yet is lost with the guest: that is what distinguishes it from the death of the daemon alone
 * (tests/crash). A second guest starts cisternd on the disk that is left. What was reported as done must be there; what
 * was not is as promised for the daemon's death: absent or complete, old or new, or named in the log; nothing
 * temporary is left, and the pool's numbers are the file system's.
 *
 *   CISTERN_CRASH_OPERATION='upload' npm run lab -- crash
 *
 * CISTERN_CRASH_SEED chooses other moments; a long run takes more of them.
 */
const SEED = Number(process.env["CISTERN_CRASH_SEED"] ?? 1);
const ONLY = process.env["CISTERN_CRASH_OPERATION"];
const VICTIM = join(PROJECT, "dist/lab/crash/victim.js");
const DISK_BYTES = 400 * 1024 * 1024;
const GUEST_MS = 300_000;
/** Moments of each operation, beside the one right after its end. */
const MOMENTS = effort() === "long" ? 8 : 1;
const GUESTS_AT_ONCE = 2;

/** What a power cut may undo although it was reported as done: as with libvirt these are not flushed, and nothing is lost. */
const MAY_BE_UNDONE: ReadonlySet<string> = new Set(["delete a volume", "build a pool"]);

const unavailable =
  umlLane.unavailable() ??
  missing({ programs: ["qemu-img", "scrub", "mkfs.ext4", "mkfs.xfs"] }) ??
  (existsSync(VICTIM) ? null : "the lab is not compiled: npm run lab does it");

describe("what was reported as done outlives a power cut, and nothing is half-made", () => {
  const chosen = OPERATIONS.filter(({ name }) => ONLY === undefined || name === ONLY);

  it("there is something to interrupt", () => {
    expect(chosen, `the operations are: ${OPERATIONS.map(({ name }) => name).join(", ")}`).not.toEqual([]);
  });

  it.concurrent.for(chosen.map(({ name }, index) => [name, index] as const))(
    "%s",
    { timeout: (MOMENTS + 2) * GUEST_MS },
    async ([operation, index], context) => {
      context.skip(unavailable !== null, unavailable ?? "");
      await inTurn(async () => {
        const victim = new Victim();
        try {
          const tookMs = await victim.dieAfter(operation);
          const broken: string[] = [];
          for (let moment = 0; moment < MOMENTS; moment++) {
            const afterMs = tookMs * fraction(SEED, index * MOMENTS + moment);
            broken.push(...(await victim.judgeAndDieAt(operation, afterMs)));
          }
          broken.push(...(await victim.judge(operation)));
          expect(broken.join("\n")).toBe("");
        } finally {
          victim.remove();
        }
      });
    },
  );
});

interface Finding {
  readonly state: string;
  readonly complaints: readonly string[];
}

/** Two disks, and the guests that live and die on them. */
class Victim {
  readonly #directory = mkdtempSync(join(tmpdir(), "cistern-victim-"));
  readonly #disks = (["ext4", "xfs"] as const).map((type) => {
    const disk = join(this.#directory, type);
    writeFileSync(disk, "");
    truncateSync(disk, DISK_BYTES);
    execFileSync(`mkfs.${type}`, ["-q", disk], { stdio: ["ignore", "ignore", "pipe"] });
    return disk;
  });
  #lastCut = { moment: "", wasDone: false };

  /** Cuts the power as soon as the client is told that it is done; how long that took, in ms. */
  async dieAfter(operation: string): Promise<number> {
    let beganMs = 0;
    let tookMs = 0;
    await this.#boot("-", operation, {
      ready: () => {
        beganMs = performance.now();
      },
      done: (cut) => {
        tookMs = performance.now() - beganMs;
        cut();
      },
    });
    const moment = `the power was cut after ${Math.round(tookMs)} ms, when it was reported as done`;
    this.#lastCut = { moment, wasDone: true };
    return tookMs;
  }

  /** What the next guest finds wrong, which then does the operation too: the power is cut so long after its beginning. */
  async judgeAndDieAt(operation: string, afterMs: number): Promise<string[]> {
    let wasDone = false;
    const finding = await this.#look(operation, operation, {
      ready: (cut) => void sleep(afterMs).then(cut),
      done: () => {
        wasDone = true;
      },
    });
    const broken = this.#complaintsOf(operation, finding);
    const moment = `the power was cut after ${Math.round(afterMs)} ms${wasDone ? ", when it was done" : ""}`;
    this.#lastCut = { moment, wasDone };
    return broken;
  }

  /** What the next guest finds wrong. */
  async judge(operation: string): Promise<string[]> {
    return this.#complaintsOf(operation, await this.#look(operation, "-", {}));
  }

  async #look(inspect: string, run: string, heard: Heard): Promise<Finding> {
    let finding: Finding | undefined;
    const output = await this.#boot(inspect, run, {
      ...heard,
      finding: (text, cut) => {
        finding = JSON.parse(text) as Finding;
        if (run === "-") cut();
      },
    });
    if (finding === undefined) throw new Error(`the guest found nothing: ${output}`);
    return finding;
  }

  #complaintsOf(operation: string, { state, complaints }: Finding): string[] {
    const { moment, wasDone } = this.#lastCut;
    const all = [...complaints];
    const isKept = state === "after" || (state === "before" && MAY_BE_UNDONE.has(operation));
    if (wasDone && !isKept) all.push(`it was reported as done, and is found "${state}"`);
    if (ONLY !== undefined) console.log(`${moment}: ${state}; ${all.join("; ") || "kept"}`);
    return all.map((complaint) => `${moment} (${state}): ${complaint}`);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #boot(inspect: string, run: string, heard: Heard): Promise<string> {
    const lane: Lane = umlLane;
    let output = "";
    let line = "";
    let failure: Error | undefined;
    const guest = await lane.boot({
      command: [process.execPath, VICTIM, inspect, run, ...this.#disks.map((_, index) => lane.diskName(index))],
      disks: this.#disks,
      timeLimitMs: GUEST_MS,
      onStdout: (bytes) => {
        output += String(bytes);
        const lines = (line + String(bytes)).split("\n");
        line = lines.pop() ?? "";
        for (const each of lines) hear(each);
      },
      onStderr: (bytes) => {
        output += String(bytes);
      },
    });
    const cut = (): void => void guest.kill();
    const hear = (each: string): void => {
      const [word = "", rest = ""] = /^(\w+) ?(.*)$/s.exec(each)?.slice(1) ?? [];
      if (word === "ready") heard.ready?.(cut);
      else if (word === "done") heard.done?.(cut);
      else if (word === "finding") heard.finding?.(rest, cut);
      else if (word === "failed") {
        failure = new Error(`${run}: ${rest}`);
        cut();
      }
    };
    const { status } = await guest.ended;
    if (failure !== undefined) throw failure;
    if (status !== null && status !== 0) throw new Error(`the guest ended with status ${status}: ${output}`);
    return output;
  }
}

interface Heard {
  ready?(cut: () => void): void;
  done?(cut: () => void): void;
  finding?(text: string, cut: () => void): void;
}

/** From 0 to 1, the same for the same numbers. */
function fraction(seed: number, index: number): number {
  const mixed = Math.imul((seed * 1_000 + index + 1) ^ 0x5bd1e995, 2_654_435_761) >>> 0;
  return mixed / 2 ** 32;
}

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn(work: () => Promise<void>): Promise<void> {
  if (running >= GUESTS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}
