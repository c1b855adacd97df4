import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, isHole, type Pool, type Volume } from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { Effect, Entry } from "./history.js";
import { guestContent, taggedContent, WRITTEN_BYTES, writerOf } from "./tagged-content.js";

/** Names that only ever hold raw volumes, and those for qcow2, whose bytes nobody writes. */
export const RAW_NAMES = Array.from({ length: 14 }, (_, index) => `raw-${index}`);
export const QCOW2_NAMES = Array.from({ length: 6 }, (_, index) => `image-${index}.qcow2`);
const NAMES = [...RAW_NAMES, ...QCOW2_NAMES];
const CAPACITIES = [1, 2, 3].map((factor) => factor * WRITTEN_BYTES);
/** Chunks of an upload, with a moment between them, so that others come in between. */
const UPLOAD_CHUNKS = 4;
const LONGEST_PAUSE_MS = 15;

/** Refusals that say nothing about whether the volume is there. */
const NEUTRAL: readonly { readonly code: number; readonly text: RegExp }[] = [
  { code: ErrorCode.OPERATION_INVALID, text: /is still in use\.$/ },
  { code: ErrorCode.OPERATION_INVALID, text: /is still being allocated\.$/ },
  { code: ErrorCode.INVALID_ARG, text: /can't shrink capacity below (existing allocation|current capacity unless)/i },
];
/** Those that say that it is there, and that it is not. */
const PRESENT: readonly { readonly code: number; readonly text: RegExp }[] = [
  { code: ErrorCode.STORAGE_VOL_EXIST, text: /./ },
  { code: ErrorCode.INTERNAL_ERROR, text: /storage volume name '.*' already in use\.$/ },
];
const ABSENT = [{ code: ErrorCode.NO_STORAGE_VOL, text: /no storage vol with matching name/ }] as const;

export interface Outcome {
  readonly entries: Entry[];
  /** Answers that no operation may give. */
  readonly surprises: string[];
  /** By operation: how often it succeeded, and how often it was refused. */
  readonly counts: Map<string, { succeeded: number; refused: number }>;
}

export function emptyOutcome(): Outcome {
  return { entries: [], surprises: [], counts: new Map() };
}

/** One client on a connection of its own, doing one random thing after the other. */
export class RandomClient {
  readonly #id: number;
  readonly #pool: Pool;
  readonly #random: () => number;
  readonly #outcome: Outcome;
  readonly #work: string;
  #counter = 0;

  private constructor(id: number, pool: Pool, random: () => number, outcome: Outcome, work: string) {
    this.#id = id;
    this.#pool = pool;
    this.#random = random;
    this.#outcome = outcome;
    this.#work = work;
  }

  static async open(id: number, connection: Connection, pool: string, seed: number, outcome: Outcome, work: string) {
    const random = mulberry(seed * 1000 + id);
    return new RandomClient(id, await connection.lookupPool(pool), random, outcome, work);
  }

  async run(until: number): Promise<void> {
    while (performance.now() < until) await this.#one();
  }

  /** Looks at a volume; for the end, when nobody else does anything. */
  async look(name: string): Promise<void> {
    await this.#do("download", name, () => this.#read(name));
  }

  async #one(): Promise<void> {
    const name = this.#pick(NAMES);
    const isRaw = RAW_NAMES.includes(name);
    const operations: readonly [weight: number, run: () => Promise<void>][] = [
      [4, () => this.#create(name, isRaw)],
      [4, () => this.#clone(name, isRaw)],
      [isRaw ? 6 : 0, () => this.#upload(name, false)],
      [isRaw ? 3 : 0, () => this.#upload(name, true)],
      [5, () => this.look(name)],
      [3, () => this.#resize(name)],
      [isRaw ? 2 : 0, () => this.#wipe(name)],
      [4, () => this.#delete(name)],
      [2, () => this.#info(name)],
      [1, () => this.#refresh()],
      [1, () => this.#list()],
    ];
    let ticket = this.#random() * operations.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, run] of operations) {
      ticket -= weight;
      if (ticket < 0) return run();
    }
  }

  #create(name: string, isRaw: boolean): Promise<void> {
    const capacityBytes = this.#pick(CAPACITIES);
    const allocation = this.#random() < 0.5 ? capacityBytes : 0;
    const format = isRaw ? "raw" : "qcow2";
    const xml = `<volume><name>${name}</name><capacity>${capacityBytes}</capacity><allocation>${isRaw ? allocation : 0}</allocation><target><format type='${format}'/></target></volume>`;
    return this.#do(`create ${format}`, name, async () => {
      await this.#pool.createVolume(xml);
      return { kind: "create", capacityBytes };
    });
  }

  #clone(name: string, isRaw: boolean): Promise<void> {
    const source = this.#pick(NAMES);
    const format = isRaw ? "raw" : "qcow2";
    const xml = `<volume><name>${name}</name><capacity>0</capacity><target><format type='${format}'/></target></volume>`;
    const id = this.#id * 1_000_000 + ++this.#counter;
    return this.#do("clone", name, async () => {
      const original = await this.#volume(source);
      // What it says about a source that is not there is no news of the target.
      if (original === null) return null;
      await this.#pool.cloneVolume(xml, original).catch((error: unknown) => {
        if (matches(error, ABSENT)) throw new AboutAnother(error);
        throw error;
      });
      return { kind: "clone", source, id };
    });
  }

  #upload(name: string, sparse: boolean): Promise<void> {
    const content = `client-${this.#id}-${++this.#counter}`;
    const bytes = taggedContent(content);
    return this.#do(sparse ? "upload sparse" : "upload", name, async () => {
      const volume = await this.#pool.lookupVolume(name);
      const stream = await volume.openUpload({ lengthBytes: BigInt(WRITTEN_BYTES), sparse });
      const done = finished(stream);
      done.catch(() => {});
      for (let chunk = 0; chunk < UPLOAD_CHUNKS; chunk++) {
        const size = WRITTEN_BYTES / UPLOAD_CHUNKS;
        if (!stream.destroyed) stream.write(bytes.subarray(chunk * size, (chunk + 1) * size));
        await sleep(this.#random() * LONGEST_PAUSE_MS);
      }
      stream.end();
      await done.catch((error: unknown) => {
        throw new Error(`an upload that was accepted failed: ${(error as Error).message}`, { cause: error });
      });
      return { kind: "write", content };
    });
  }

  async #read(name: string): Promise<Effect> {
    const volume = await this.#pool.lookupVolume(name);
    const sparse = this.#random() < 0.5;
    const stream = await volume.openDownload({ sparse });
    const pieces: Buffer[] = [];
    for await (const piece of stream as AsyncIterable<Buffer | { readonly holeBytes: bigint }>) {
      pieces.push(isHole(piece) ? Buffer.alloc(Number(piece.holeBytes)) : Buffer.from(piece));
    }
    const bytes = Buffer.concat(pieces);
    const content = RAW_NAMES.includes(name) ? bytes : await this.#guestContentOf(bytes);
    return { kind: "read", content: writerOf(content), capacityBytes: content.length };
  }

  async #guestContentOf(bytes: Buffer): Promise<Buffer> {
    const path = join(this.#work, `client-${this.#id}-${++this.#counter}`);
    try {
      await writeFile(path, bytes);
      return await guestContent(path);
    } finally {
      await rm(path, { force: true });
      await rm(`${path}.raw-content`, { force: true });
    }
  }

  #resize(name: string): Promise<void> {
    const capacityBytes = this.#pick(CAPACITIES);
    const allocate = RAW_NAMES.includes(name) && this.#random() < 0.3;
    return this.#do("resize", name, async () => {
      const volume = await this.#pool.lookupVolume(name);
      await volume.resize(BigInt(capacityBytes), { allocate, shrink: this.#random() < 0.5 });
      return { kind: "resize", capacityBytes };
    });
  }

  #wipe(name: string): Promise<void> {
    return this.#do("wipe", name, async () => {
      await (await this.#pool.lookupVolume(name)).wipe("zero");
      return { kind: "write", content: "zero" };
    });
  }

  #delete(name: string): Promise<void> {
    return this.#do("delete", name, async () => {
      await (await this.#pool.lookupVolume(name)).delete();
      return { kind: "delete" };
    });
  }

  #info(name: string): Promise<void> {
    return this.#do("info", name, async () => {
      const volume = await this.#pool.lookupVolume(name);
      await (this.#random() < 0.5 ? volume.info() : volume.xml());
      return { kind: "seen" };
    });
  }

  #refresh(): Promise<void> {
    return this.#do("refresh", "", async () => {
      await this.#pool.refresh();
      return null;
    });
  }

  #list(): Promise<void> {
    return this.#do("list", "", async () => {
      const foreign = (await this.#pool.listVolumes()).filter(({ name }) => !NAMES.includes(name));
      if (foreign.length > 0)
        throw new Error(`a volume is listed that nobody made: ${foreign.map(({ name }) => name)}`);
      return null;
    });
  }

  async #volume(name: string): Promise<Volume | null> {
    try {
      return await this.#pool.lookupVolume(name);
    } catch (error) {
      if (matches(error, ABSENT)) return null;
      throw error;
    }
  }

  /** Does it and writes down what its answer says. */
  async #do(operation: string, name: string, work: () => Promise<Effect | null>): Promise<void> {
    const calledAt = performance.now();
    let effect: Effect | null = null;
    let succeeded = false;
    try {
      effect = await work();
      succeeded = true;
    } catch (error) {
      if (matches(error, PRESENT)) effect = { kind: "seen" };
      else if (matches(error, ABSENT)) effect = { kind: "absent" };
      else if (!(error instanceof AboutAnother) && !matches(error, NEUTRAL)) {
        this.#outcome.surprises.push(`${operation} ${name}: ${describe(error)}`);
      }
    }
    const count = this.#outcome.counts.get(operation) ?? { succeeded: 0, refused: 0 };
    count[succeeded ? "succeeded" : "refused"] += 1;
    this.#outcome.counts.set(operation, count);
    if (effect !== null) this.#outcome.entries.push({ name, calledAt, answeredAt: performance.now(), effect });
  }

  #pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.#random() * values.length)];
    if (value === undefined) throw new RangeError("nothing to pick from");
    return value;
  }
}

/** A refusal because of the other volume of the operation. */
class AboutAnother extends Error {
  constructor(cause: unknown) {
    super("about another volume", { cause });
  }
}

function matches(error: unknown, refusals: readonly { readonly code: number; readonly text: RegExp }[]): boolean {
  return (
    error instanceof LibvirtError && refusals.some(({ code, text }) => error.code === code && text.test(error.message))
  );
}

function describe(error: unknown): string {
  return error instanceof LibvirtError ? `code ${error.code}: ${error.message}` : String(error);
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
