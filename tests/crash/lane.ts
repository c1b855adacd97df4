import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, readlink, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Connection } from "@cistern/client";
import { secrets } from "@cistern/protocol";
import { startedPool } from "../robustness/directory-pool.js";
import { type LoopMount, mountLoop } from "../support/loop.js";
import { filesBelow, RootedDaemon } from "../support/rooted-daemon.js";
import { isStorageChange, STORAGE_CHANGES, shapeOf, Tracing, threadsOf } from "../support/strace.js";
import { fixturePath } from "./fixtures.js";
import { type Operation, type Scene, SECRET } from "./operations.js";

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

const OPERATION_MS = 60_000;
/** Space that a file system takes and gives in the background (preallocation, its own tables). */
const SLACK_BYTES = 1024 * 1024;
const POOLS = ["ext4", "xfs"] as const;
type Mounts = Readonly<Record<(typeof POOLS)[number], LoopMount>>;

/** A daemon that is killed again and again, with a pool on each file system. Operations run in it one after the other. */
export class Lane {
  readonly #daemon: RootedDaemon;
  readonly #mounts: Mounts;
  /** What lies in DIR/var and DIR/run/private when nothing runs. */
  #quiet: readonly string[] = [];

  private constructor(daemon: RootedDaemon, mounts: Mounts) {
    this.#daemon = daemon;
    this.#mounts = mounts;
  }

  static async open(): Promise<Lane> {
    const root = await mkdtemp(join(tmpdir(), "cistern-crash-"));
    // One thread makes the file calls, so that they come in one order; io_uring would hide them from strace.
    const environment = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0", CISTERN_NATIVE_THREADS: "1" };
    const daemon = await RootedDaemon.prepare(root, "", environment);
    const lane = new Lane(daemon, { ext4: mountLoop("ext4"), xfs: mountLoop("xfs") });
    try {
      await daemon.start();
      const connection = await daemon.connect();
      for (const name of POOLS) await startedPool(connection, name, lane.#directory(name));
      await defineSecret(connection);
      lane.#quiet = await lane.#leftovers();
      return lane;
    } catch (error) {
      await lane.close();
      throw error;
    }
  }

  /** Does the operation once, undisturbed; every moment at which it changes storage. */
  async record(operation: Operation): Promise<readonly Point[]> {
    const scene = await this.#prepare(operation);
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
    const scene = await this.#prepare(operation);
    const hit =
      point.origin === "own"
        ? await this.#dieAt(operation, scene, point, watch)
        : await this.#dieWithChild(operation, scene, point);
    await this.#daemon.kill();
    await this.#daemon.start();
    const { state, complaints } = await operation.inspect(scene);
    const all = [...complaints, ...(await this.#inspectAll(operation, scene.directory))];
    if (state === "half" && !saysIncomplete(this.#daemon.log, operation.volume)) {
      all.push(`"${operation.volume}" is half written, and the log does not name it as incomplete`);
    }
    await this.#endChildren();
    await this.#forgetLeftovers();
    if (state !== "after") all.push(...(await this.#again(operation, scene)));
    return { hit, asPlanned: hit !== null && shapeOf(hit) === shapeOf(point.line), state, complaints: all };
  }

  async close(): Promise<void> {
    await this.#daemon.stop();
    await this.#endChildren();
    for (const name of POOLS) this.#mounts[name].unmount();
    await rm(this.#daemon.root, { recursive: true, force: true });
  }

  async #dieAt(operation: Operation, scene: Scene, point: Point, watch: "thread" | "all"): Promise<string | null> {
    const threads = [...threadsOf(this.#daemon.pid)].sort((a, b) => a - b);
    const injection = `${point.call}:signal=KILL:when=${point.ordinal}`;
    // One thread by itself: the counter goes by thread, and no other can be first. One that is yet to be made, or has another
    // place than in the recorded run, is found with all.
    const thread = watch === "thread" ? threads[point.threadIndex] : undefined;
    const tracing =
      thread === undefined
        ? await Tracing.attach(this.#daemon.pid, this.#traceFile, { calls: STORAGE_CHANGES, injection })
        : await Tracing.attach(thread, this.#traceFile, { what: "thread", calls: STORAGE_CHANGES, injection });
    await withDeadline(operation.run(scene)).catch(() => {});
    const died = await this.#daemon.ended(200);
    await tracing.detach();
    return died ? await tracing.unfinishedCall() : null;
  }

  async #dieWithChild(operation: Operation, scene: Scene, point: Point): Promise<string | null> {
    const injection = `${point.call}:signal=STOP:when=${point.ordinal}`;
    const tracing = await Tracing.attach(this.#daemon.pid, this.#traceFile, { calls: STORAGE_CHANGES, injection });
    const run = withDeadline(operation.run(scene)).catch(() => {});
    let over = false;
    void run.then(() => {
      over = true;
    });
    let stopped = false;
    while (!over && !stopped) {
      await sleep(2);
      stopped = await tracing.hasStopped();
    }
    await this.#daemon.kill();
    await run;
    await tracing.detach();
    return stopped ? point.line : null;
  }

  /** What was interrupted can be done again, and then is whole. */
  async #again(operation: Operation, { directory, beside }: Scene): Promise<string[]> {
    const connection = await this.#daemon.connect();
    const pool = await connection.lookupPool(operation.fileSystem);
    try {
      await withDeadline(operation.run({ connection, pool, directory, beside }));
    } catch (error) {
      return [`done again, it fails: ${(error as Error).message}`];
    }
    const { state, complaints } = await operation.inspect({ directory, beside });
    return [...complaints, ...(state === "after" ? [] : [`it ends "${state}"`])].map((text) => `done again: ${text}`);
  }

  /** A pool that holds the operation's fixtures and nothing else. */
  async #prepare(operation: Operation): Promise<Scene> {
    const directory = this.#directory(operation.fileSystem);
    const beside = join(this.#mounts[operation.fileSystem].mountPoint, "beside");
    await rm(beside, { recursive: true, force: true });
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
    for (const name of operation.fixtures) {
      await promisify(execFile)("cp", ["--sparse=always", fixturePath(name), directory]);
    }
    const connection = await this.#daemon.connect();
    for (const built of await connection.listPools()) {
      if (built.name !== "built") continue;
      if (await built.isActive()) await built.stop();
      await built.undefine();
    }
    const pool = await connection.lookupPool(operation.fileSystem);
    await pool.refresh();
    return { connection, pool, directory, beside };
  }

  async #inspectAll(operation: Operation, directory: string): Promise<string[]> {
    const complaints: string[] = [];
    const connection = await this.#daemon.connect();
    const pool = await connection.lookupPool(operation.fileSystem);
    if (!(await pool.isActive())) return ["the pool is not active any more"];
    const names = (await readdir(directory)).sort();
    const temporary = [...names, ...(await filesBelow(this.#mounts[operation.fileSystem].mountPoint))].filter((name) =>
      /(^|\/)\.cistern-/.test(name),
    );
    if (temporary.length > 0) complaints.push(`temporary files are left: ${[...new Set(temporary)].join(", ")}`);
    const volumes = await pool.listVolumes();
    const listed = volumes.map(({ name }) => name);
    if (listed.join() !== names.join()) complaints.push(`it lists ${listed}, and there are ${names}`);
    for (const volume of volumes) await volume.xml();
    const { capacityBytes, allocationBytes, availableBytes } = await pool.info();
    if (allocationBytes + availableBytes !== capacityBytes) {
      complaints.push(`allocation ${allocationBytes} and available ${availableBytes} do not make ${capacityBytes}`);
    }
    const facts = await statfs(directory);
    const wrong = Math.abs(Number(availableBytes) - facts.bfree * facts.bsize);
    if (Number(capacityBytes) !== facts.blocks * facts.bsize || wrong > SLACK_BYTES) {
      complaints.push(`the pool's numbers are not the file system's: ${wrong} bytes apart`);
    }
    const left = (await this.#leftovers()).filter((path) => !this.#quiet.includes(path));
    if (left.length > 0) complaints.push(`left behind: ${left.join(", ")}`);
    const alive = await this.#children();
    if (alive.length > 0) complaints.push(`still running: ${alive.map(({ command }) => command).join(", ")}`);
    return complaints;
  }

  /** Programs that the daemon, or one that is dead, runs on this storage. */
  async #children(): Promise<Child[]> {
    const own = [this.#daemon.root, ...POOLS.map((name) => this.#mounts[name].mountPoint)];
    const found: Child[] = [];
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const [stat, command] = await Promise.all([
        readFile(`/proc/${pid}/stat`, "latin1").catch(() => ""),
        readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
      ]);
      // "4711 (qemu-img) T 1 …"
      const [, name = "", state = ""] = /^\d+ \((.*)\) (\w)/s.exec(stat) ?? [];
      if (!["qemu-img", "scrub"].includes(name) || state === "Z") continue;
      const words = command.replaceAll("\0", " ").trim();
      const open = [...(await descriptorPaths(Number(pid))).values()];
      if (own.some((place) => words.includes(place) || open.some((path) => path.startsWith(place)))) {
        found.push({ pid: Number(pid), command: words });
      }
    }
    return found;
  }

  async #endChildren(): Promise<void> {
    for (const { pid } of await this.#children()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile.
      }
    }
  }

  async #leftovers(): Promise<string[]> {
    const places = [join(this.#daemon.root, "var"), join(this.#daemon.root, "run/private")];
    const lists = await Promise.all(
      places.map(async (place) => (await filesBelow(place)).map((file) => join(place, file))),
    );
    return lists.flat();
  }

  /** What one crash left is no fault of the next. */
  async #forgetLeftovers(): Promise<void> {
    for (const path of await this.#leftovers()) if (!this.#quiet.includes(path)) await rm(path, { force: true });
  }

  #directory(name: Operation["fileSystem"]): string {
    return join(this.#mounts[name].mountPoint, "pool");
  }

  get #traceFile(): string {
    return join(this.#daemon.root, "trace");
  }
}

interface Child {
  readonly pid: number;
  readonly command: string;
}

/** What a process holds open, by descriptor. */
async function descriptorPaths(pid: number): Promise<Map<string, string>> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const paths = names.map(async (name) => [name, await readlink(`/proc/${pid}/fd/${name}`).catch(() => "")] as const);
  return new Map(await Promise.all(paths));
}

function saysIncomplete(log: string, volume: string): boolean {
  return log.split("\n").some((line) => line.includes("incomplete") && line.includes(volume));
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(OPERATION_MS, undefined, { signal: over.signal }).then(() => {
    throw new Error(`the operation did not end in ${OPERATION_MS} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => {});
  }
}

async function defineSecret(connection: Connection): Promise<void> {
  const xml = `<secret ephemeral='no' private='no'><uuid>${SECRET}</uuid></secret>`;
  const { secret } = await connection.call(secrets.secretDefineXml, { xml, flags: 0 });
  await connection.call(secrets.secretSetValue, { secret, value: Buffer.from("open sesame"), flags: 0 });
}
