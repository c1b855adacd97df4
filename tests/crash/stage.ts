import { execFile } from "node:child_process";
import { readdir, readFile, readlink, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Connection } from "@cistern/client";
import { secrets } from "@cistern/protocol";
import { startedPool } from "../robustness/directory-pool.js";
import { filesBelow, type RootedDaemon } from "../support/rooted-daemon.js";
import { fixturePath, PASSPHRASE } from "./fixtures.js";
import { type Operation, type Scene, SECRET } from "./operations.js";

const OPERATION_MS = 60_000;
const SECRET_OF_PATH = "5f0d4c1e-9a57-4d0c-8b1e-3a6e7f2c9d10";
/** Space that a file system takes and gives in the background (preallocation, its own tables). */
const SLACK_BYTES = 1024 * 1024;

export type FileSystem = Operation["fileSystem"];
/** Where each file system is mounted. */
export type Places = Readonly<Partial<Record<FileSystem, string>>>;

/** What a death is survived by: a pool on each file system, and a daemon that is started again on what is left there. */
export class Stage {
  readonly #daemon: RootedDaemon;
  readonly #places: Places;
  /** What lies in DIR/var and DIR/run/private when nothing runs. */
  quiet: readonly string[] = [];

  constructor(daemon: RootedDaemon, places: Places) {
    this.#daemon = daemon;
    this.#places = places;
  }

  /** Pools and secrets of a daemon that has none. */
  async set(): Promise<void> {
    const connection = await this.#daemon.connect();
    for (const name of this.#fileSystems) await startedPool(connection, name, this.directory(name));
    await defineSecret(connection, SECRET, "");
    // A scan sees that a volume is encrypted, and not by which secret.
    const path = join(this.directory("ext4"), "luks.raw");
    await defineSecret(connection, SECRET_OF_PATH, `<usage type='volume'><volume>${path}</volume></usage>`);
    this.quiet = await this.leftovers();
  }

  /** A pool that holds the operation's fixtures and nothing else. */
  async prepare(operation: Operation): Promise<Scene> {
    const directory = this.directory(operation.fileSystem);
    const beside = join(this.#mountPoint(operation.fileSystem), "beside");
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

  /** The same, of which an operation has been done or begun already. */
  async scene({ fileSystem }: Operation): Promise<Scene> {
    const connection = await this.#daemon.connect();
    const pool = await connection.lookupPool(fileSystem);
    const beside = join(this.#mountPoint(fileSystem), "beside");
    return { connection, pool, directory: this.directory(fileSystem), beside };
  }

  /** Looks at what is there after the death and the next start, and leaves it tidy. */
  async inspect(operation: Operation, scene: Scene): Promise<Inspection> {
    const { state, complaints } = await operation.inspect(scene);
    const all = [...complaints, ...(await this.#inspectAll(operation, scene.directory))];
    if (state === "half" && !saysIncomplete(this.#daemon.log, operation.volume)) {
      all.push(`"${operation.volume}" is half written, and the log does not name it as incomplete`);
    }
    await this.endChildren();
    await this.#forgetLeftovers();
    if (state !== "after") all.push(...(await this.#again(operation, scene)));
    return { state, complaints: all };
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

  async #inspectAll(operation: Operation, directory: string): Promise<string[]> {
    const complaints: string[] = [];
    const connection = await this.#daemon.connect();
    const pool = await connection.lookupPool(operation.fileSystem);
    if (!(await pool.isActive())) return ["the pool is not active any more"];
    const names = (await readdir(directory)).sort();
    const temporary = [...names, ...(await filesBelow(this.#mountPoint(operation.fileSystem)))].filter((name) =>
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
    const left = (await this.leftovers()).filter((path) => !this.quiet.includes(path));
    if (left.length > 0) complaints.push(`left behind: ${left.join(", ")}`);
    const alive = await this.#children();
    if (alive.length > 0) complaints.push(`still running: ${alive.map(({ command }) => command).join(", ")}`);
    return complaints;
  }

  /** Programs that the daemon, or one that is dead, runs on this storage. */
  async #children(): Promise<Child[]> {
    const own = [this.#daemon.root, ...this.#fileSystems.map((name) => this.#mountPoint(name))];
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

  async endChildren(): Promise<void> {
    for (const { pid } of await this.#children()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile.
      }
    }
  }

  async leftovers(): Promise<string[]> {
    const places = [join(this.#daemon.root, "var"), join(this.#daemon.root, "run/private")];
    const lists = await Promise.all(
      places.map(async (place) => (await filesBelow(place)).map((file) => join(place, file))),
    );
    return lists.flat();
  }

  /** What one crash left is no fault of the next. */
  async #forgetLeftovers(): Promise<void> {
    for (const path of await this.leftovers()) if (!this.quiet.includes(path)) await rm(path, { force: true });
  }

  /** The pool of a file system. */
  directory(name: Operation["fileSystem"]): string {
    return join(this.#mountPoint(name), "pool");
  }

  get #fileSystems(): FileSystem[] {
    return (["ext4", "xfs"] as const).filter((name) => this.#places[name] !== undefined);
  }

  #mountPoint(name: FileSystem): string {
    const place = this.#places[name];
    if (place === undefined) throw new Error(`there is no ${name}`);
    return place;
  }
}

export interface Inspection {
  readonly state: string;
  readonly complaints: readonly string[];
}

interface Child {
  readonly pid: number;
  readonly command: string;
}

/** What a process holds open, by descriptor. */
export async function descriptorPaths(pid: number): Promise<Map<string, string>> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const paths = names.map(async (name) => [name, await readlink(`/proc/${pid}/fd/${name}`).catch(() => "")] as const);
  return new Map(await Promise.all(paths));
}

function saysIncomplete(log: string, volume: string): boolean {
  return log.split("\n").some((line) => line.includes("incomplete") && line.includes(volume));
}

export async function withDeadline<T>(work: Promise<T>): Promise<T> {
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

async function defineSecret(connection: Connection, uuid: string, usage: string): Promise<void> {
  const xml = `<secret ephemeral='no' private='no'><uuid>${uuid}</uuid>${usage}</secret>`;
  const { secret } = await connection.call(secrets.secretDefineXml, { xml, flags: 0 });
  await connection.call(secrets.secretSetValue, { secret, value: Buffer.from(PASSPHRASE), flags: 0 });
}
