import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LoopMount, mountLoop } from "../support/loop.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { isStorageChange, STORAGE_CHANGES, shapeOf, Tracing, threadsOf } from "../support/strace.js";
import type { Operation, Scene } from "./operations.js";
import { descriptorPaths, Stage, withDeadline } from "./stage.js";

/** A moment at which the daemon dies: just before this call is made. */
export interface Point {
  /** "child": a program that the daemon runs stops there, and then the daemon is killed. */
  readonly origin: "own" | "child";
  readonly call: string;
  readonly ordinal: number;
  /** Which of the daemon's threads, in the order of their making. */
  readonly threadIndex: number;
  /** The call as it is traced, to see whether it was the one. */
  readonly line: string;
}

export interface Crash {
  /** The traced call at which it died; null when the operation ended first. */
  readonly hit: string | null;
  readonly asPlanned: boolean;
  readonly state: string;
  readonly complaints: readonly string[];
}

/** How an operation ended that was to die. */
interface End {
  /** As in `Crash`. */
  readonly hit: string | null;
  readonly failure: string | null;
}

/** A daemon that is killed again and again, with a pool on each file system. Operations run in it one after the other. */
export class Lane {
  readonly #daemon: RootedDaemon;
  readonly #mounts: readonly LoopMount[];
  readonly #stage: Stage;

  private constructor(daemon: RootedDaemon, ext4: LoopMount, xfs: LoopMount) {
    this.#daemon = daemon;
    this.#mounts = [ext4, xfs];
    this.#stage = new Stage(daemon, { ext4: ext4.mountPoint, xfs: xfs.mountPoint });
  }

  static async open(): Promise<Lane> {
    const root = await mkdtemp(join(tmpdir(), "cistern-crash-"));
    // One thread makes the file calls, so that they come in one order; io_uring would hide them from strace.
    const environment = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0", CISTERN_NATIVE_THREADS: "1" };
    const daemon = await RootedDaemon.prepare(root, "", environment);
    const lane = new Lane(daemon, mountLoop("ext4"), mountLoop("xfs"));
    try {
      await daemon.start();
      await lane.#stage.set();
      return lane;
    } catch (error) {
      await lane.close();
      throw error;
    }
  }

  /**
   * Does the operation undisturbed; every moment at which it changes storage. It is the second time that counts: a daemon
   * makes more calls when it does something first (it opens directories that it keeps), and the last of as many would never
   * come.
   */
  async record(operation: Operation): Promise<readonly Point[]> {
    await withDeadline(operation.run(await this.#stage.prepare(operation)));
    const scene = await this.#stage.prepare(operation);
    const paths = await descriptorPaths(this.#daemon.pid);
    const tracing = await Tracing.attach(this.#daemon.pid, this.#traceFile, { calls: STORAGE_CHANGES });
    await withDeadline(operation.run(scene)).finally(() => tracing.detach());
    const threads = [...threadsOf(this.#daemon.pid)].sort((a, b) => a - b);
    const { state, complaints } = await operation.inspect(scene);
    if (state !== "after") throw new Error(`${operation.name}: undisturbed, but it ended "${state}"`);
    if (complaints.length > 0) throw new Error(`${operation.name}: undisturbed, but ${complaints.join("; ")}`);
    const { root } = this.#daemon;
    const places = [scene.directory, scene.beside, join(root, "var"), join(root, "run/private")];
    const entered = new Set<string>();
    const points: Point[] = [];
    for (const { thread, name, ordinal, line } of await tracing.calls()) {
      // Where all threads are watched, the first to come so far is the one that is hit.
      const isFirst = !entered.has(`${name} ${ordinal}`);
      entered.add(`${name} ${ordinal}`);
      const threadIndex = threads.indexOf(thread);
      // Entries of an open directory are named by way of /proc, where strace does not say which directory it is.
      const [, opened, path] = / = (\d+)<([^>]*)>/.exec(line) ?? [];
      const directory = /"\/proc\/self\/fd\/(\d+)/.exec(line)?.[1];
      const at = `${line} ${threadIndex < 0 ? "" : paths.get(directory ?? "")}`;
      if (threadIndex >= 0 && opened !== undefined && path !== undefined) paths.set(opened, path);
      if (!isStorageChange(line) || !places.some((place) => at.includes(place))) continue;
      if (threadIndex >= 0) points.push({ origin: "own", call: name, ordinal, threadIndex, line });
      else if (isFirst) points.push({ origin: "child", call: name, ordinal, threadIndex, line });
    }
    return points;
  }

  /** Does the operation once more, kills the daemon at the point, starts it again and looks at what is there. */
  async crash(operation: Operation, point: Point, watch: "thread" | "all" = "thread"): Promise<Crash> {
    const scene = await this.#stage.prepare(operation);
    const { hit, failure } =
      point.origin === "own"
        ? await this.#dieAt(operation, scene, point, watch)
        : await this.#dieWithChild(operation, scene, point);
    await this.#daemon.kill();
    await this.#daemon.start();
    const { state, complaints } = await this.#stage.inspect(operation, scene);
    const asPlanned = hit !== null && shapeOf(hit) === shapeOf(point.line);
    // It may fail because the daemon dies, and for nothing else; but where the daemon makes fewer calls than planned, the signal that
    // was meant for it goes to the program that it runs, whose calls are counted as well: the point was not reached, then.
    const wentAstray = point.origin === "own" && failure?.endsWith("unexpected fatal signal 9") === true;
    const unasked =
      hit === null && failure !== null && !wentAstray ? [`the daemon lived, and it failed: ${failure}`] : [];
    return { hit, asPlanned, state, complaints: [...unasked, ...complaints] };
  }

  async close(): Promise<void> {
    await this.#daemon.stop();
    await this.#stage.endChildren();
    for (const mount of this.#mounts) mount.unmount();
    await rm(this.#daemon.root, { recursive: true, force: true });
  }

  async #dieAt(operation: Operation, scene: Scene, point: Point, watch: "thread" | "all"): Promise<End> {
    const threads = [...threadsOf(this.#daemon.pid)].sort((a, b) => a - b);
    const injection = `${point.call}:signal=KILL:when=${point.ordinal}`;
    // One thread by itself: the counter goes by thread, and no other can be first. One that is yet to be made, or has another
    // place than in the recorded run, is found with all.
    const thread = watch === "thread" ? threads[point.threadIndex] : undefined;
    const tracing =
      thread === undefined
        ? await Tracing.attach(this.#daemon.pid, this.#traceFile, { calls: STORAGE_CHANGES, injection })
        : await Tracing.attach(thread, this.#traceFile, { what: "thread", calls: STORAGE_CHANGES, injection });
    const failure = await failureOf(operation.run(scene));
    // Its connections end before it does, which may have to wait for the disk.
    const died = await this.#daemon.ended(failure === null ? 200 : 10_000);
    await tracing.detach();
    return { hit: died ? ((await tracing.unfinishedCall()) ?? "a call that the trace does not tell") : null, failure };
  }

  async #dieWithChild(operation: Operation, scene: Scene, point: Point): Promise<End> {
    const injection = `${point.call}:signal=STOP:when=${point.ordinal}`;
    const tracing = await Tracing.attach(this.#daemon.pid, this.#traceFile, { calls: STORAGE_CHANGES, injection });
    let over = false;
    const run = failureOf(operation.run(scene)).finally(() => {
      over = true;
    });
    let stopped = false;
    while (!over && !stopped) {
      await sleep(2);
      stopped = await tracing.hasStopped();
    }
    await this.#daemon.kill();
    const failure = await run;
    await tracing.detach();
    return { hit: stopped ? point.line : null, failure };
  }

  get #traceFile(): string {
    return join(this.#daemon.root, "trace");
  }
}

async function failureOf(run: Promise<unknown>): Promise<string | null> {
  try {
    await withDeadline(run);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
