import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type {
  FoundVolume,
  KnownVolumes,
  PoolContext,
  PoolScan,
  StorageDriver,
  VolumeContext,
} from "../../dist/drivers/driver.js";
import { ExpectedSpace } from "../../dist/drivers/expected-space.js";
import type { Directory, Host } from "../../dist/host/host.js";
import { Hosts } from "../../dist/host/index.js";
import type { Job, Recorded, Trace } from "../../dist/jobs/job.js";

/** A place of its own for one test: a real directory, a real host, and what operations are handed. */
export class Laboratory {
  readonly root = mkdtempSync(join(tmpdir(), "cistern-drivers-"));
  readonly hosts = new Hosts();
  readonly progress: [bigint, bigint][] = [];
  /** What drivers told the job: by which way, what is to be known, and what would be left now. */
  readonly ways: string[] = [];
  readonly remarks: string[] = [];
  readonly traces = new Set<Trace>();
  readonly expectedSpace = new ExpectedSpace();
  /** Passphrases by uuid or usage. */
  readonly secrets = new Map<string, string>();
  readonly #controller = new AbortController();
  readonly #kept: Disposable[] = [];
  #privateDirectory: Directory | null = null;

  /** To be done when the laboratory closes; what was said last is done first. */
  onClose(cleanup: () => void): void {
    this.keep({ [Symbol.dispose]: cleanup });
  }

  /** Something of the machine's (a loop device): given back when the laboratory closes. */
  keep<Kept extends Disposable>(resource: Kept): Kept {
    this.#kept.push(resource);
    return resource;
  }

  get host(): Host {
    return this.hosts.local;
  }

  path(...names: string[]): string {
    return join(this.root, ...names);
  }

  async context(): Promise<VolumeContext> {
    const path = this.path("private");
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#privateDirectory ??= await this.host.openDirectory(path);
    return {
      host: this.host,
      expectedSpace: this.expectedSpace,
      job: new RecordedJob(this.#controller.signal, this),
      secret: (lookup) => this.#secret(lookup),
      exclusively: (work) => work(),
      privateDirectory: this.#privateDirectory,
    };
  }

  /** What bringing a pool up or down is handed. */
  get poolContext(): PoolContext {
    return { signal: this.#controller.signal, secret: (lookup) => this.#secret(lookup) };
  }

  async #secret(lookup: Parameters<PoolContext["secret"]>[0]): Promise<Uint8Array> {
    const id = "uuid" in lookup ? lookup.uuid : lookup.usage;
    const value = this.secrets.get(id);
    if (value !== undefined) return new TextEncoder().encode(value);
    const kind = "uuid" in lookup ? "uuid" : "usage";
    const text = `no secret with matching ${kind} '${id}'`;
    throw LibvirtError.of(ErrorCode.NO_SECRET, ErrorDomain.SECRET, text);
  }

  /** What a caller who lost patience does. */
  abort(): void {
    this.#controller.abort(new Error("the test gave up"));
  }

  /** Whatever fails on the way, what is the machine's goes back. */
  async close(): Promise<void> {
    try {
      await this.#privateDirectory?.close();
      await this.hosts.close();
    } finally {
      for (const resource of this.#kept.reverse()) resource[Symbol.dispose]();
      rmSync(this.root, { recursive: true, force: true });
    }
  }
}

/** A class, as the daemon's is: its methods are nothing without their object. */
class RecordedJob implements Job {
  readonly signal: AbortSignal;
  readonly bandwidthBytesPerSecond = null;
  readonly #laboratory: Laboratory;

  constructor(signal: AbortSignal, laboratory: Laboratory) {
    this.signal = signal;
    this.#laboratory = laboratory;
  }

  progress(doneBytes: bigint, totalBytes: bigint): void {
    this.#laboratory.progress.push([doneBytes, totalBytes]);
  }
  async pace(): Promise<void> {}
  hurry(): void {}
  way(text: string): void {
    this.#laboratory.ways.push(text);
  }
  remark(text: string): void {
    this.#laboratory.remarks.push(text);
  }
  async record(trace: Trace): Promise<Recorded> {
    const { traces } = this.#laboratory;
    traces.add(trace);
    const release = async (): Promise<null> => {
      traces.delete(trace);
      return null;
    };
    return { release, keep: async () => {} };
  }
  child(): void {}
}

export const nothingKnown: KnownVolumes = known([]);

/** What the last scan found, as the pool gives it to the next. */
export function known(volumes: readonly FoundVolume[]): KnownVolumes {
  const byName = new Map(volumes.map((volume) => [volume.document.name, volume]));
  return { get: (name) => byName.get(name), [Symbol.iterator]: () => byName.values() };
}

export function scan(
  driver: StorageDriver,
  pool: PoolDocument,
  host: Host,
  before: readonly FoundVolume[] = [],
): Promise<PoolScan> {
  return driver.scan(pool, host, known(before), new AbortController().signal);
}

/** Allocates and fills, as the daemon does; gives the volume as it then is. */
export async function create(
  driver: StorageDriver,
  pool: PoolDocument,
  wanted: VolumeDocument,
  context: VolumeContext,
  more: { readonly source?: VolumeDocument; readonly flags?: number } = {},
): Promise<VolumeDocument> {
  const { volumes } = driver;
  if (volumes?.allocate === undefined) throw new Error(`${driver.type} makes no volumes`);
  const volume = await volumes.allocate(pool, wanted, context);
  // The names of devices are symlinks.
  const followsSymlink = driver.traits.volumeKind === "block";
  const source = more.source === undefined ? null : { pool, document: more.source, followsSymlink };
  const made = await volumes.fill?.(pool, volume, source, more.flags ?? 0, context);
  if (made !== undefined) return made.document;
  return (await volumes.refresh?.(pool, { document: volume, evidence: null }, false, context.host))?.document ?? volume;
}

/** The code, domain and text of an error, as libvirt's recordings have them. */
export async function errorOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (thrown) {
    // A document's error is one of libvirt's under another name; anything else is a mistake in the driver.
    const error = LibvirtError.from(thrown);
    if (error.code === ErrorCode.INTERNAL_ERROR && error !== thrown) throw thrown;
    return `${error.code}/${error.domain} ${error.message}`;
  }
  return "no error";
}
