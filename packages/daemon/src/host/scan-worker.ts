import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { hostLimits } from "../limits.js";
import { hostErrorFrom } from "./errors.js";
import { firstLinkSync } from "./links.js";
import { locate, type MountTable, MountTableReader } from "./mounts.js";
import { joinPath, textOfBytes, textOfLatin1 } from "./names.js";
import * as native from "./native.js";
import { BatchWriter, keptStatxBytes, type ScanBatch } from "./scan-batch.js";
import type { ScanAnswer, ScanJob, ScanOrder } from "./scan-messages.js";
import { isReservedName } from "./temporary-names.js";

/** Entry of a scan thread: looks at every entry of a directory with synchronous system calls, which cost a microsecond each. */

const { S_IFBLK, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants;
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** A look shall leave no trace: neither a new access time nor the disk writes for it. Only owners and root may ask so. */
const O_NOATIME = constants.O_NOATIME;

const isOpened: ReadonlySet<number> = new Set([S_IFREG, S_IFBLK, S_IFDIR]);

const mountTables = new MountTableReader();

class Scan {
  readonly #job: ScanJob;
  /** What the kernel writes, and the parts of it that are read here. */
  readonly #statx = new Uint8Array(native.statxBytes);
  readonly #statxKept = new Uint32Array(this.#statx.buffer, 0, keptStatxBytes / 4);
  readonly #statxMode = new Uint16Array(this.#statx.buffer, native.statxOffsets.mode, 1);
  readonly #statxSize = new BigInt64Array(this.#statx.buffer, native.statxOffsets.size, 1);
  readonly #name = Buffer.alloc(256 + 1);
  readonly #contents: Uint8Array;
  readonly #bytesPerEntry: number;
  /** A file system that labels files labels directories too; asking for every file is saved where it does not. */
  readonly #labelled: boolean;
  /** Names of batches whose contents may still be asked for, one character per byte. */
  readonly #waiting = new Map<number, readonly string[]>();
  #mounts: MountTable | null = null;
  #ahead = 0;
  #wake: (() => void) | null = null;
  #stopped = false;

  constructor(job: ScanJob) {
    this.#job = job;
    this.#bytesPerEntry = job.windows.reduce((sum, { length }) => sum + length, job.headBytes);
    this.#contents = new Uint8Array(hostLimits.scanBatchBytes + this.#bytesPerEntry);
    this.#labelled = native.labelSync(job.directory) !== null;
  }

  async run(): Promise<void> {
    const listed = readdirSync(`/proc/self/fd/${this.#job.directory}/`, { encoding: "latin1" });
    const names = listed.filter((name) => !isReservedName(name));
    let next = 0;
    let number = 0;
    while (!this.#stopped && next < names.length) {
      const batch = this.#writer(Math.min(names.length - next, hostLimits.scanBatchEntries));
      const first = next;
      while (next < names.length && this.#hasRoom(batch)) this.#add(batch, names[next++] ?? "", this.#job.factsFirst);
      if (this.#job.factsFirst) this.#waiting.set(number, names.slice(first, next));
      this.#ahead += 1;
      send({ type: "facts", number, batch: batch.finish() });
      number += 1;
      await turn();
      while (!this.#stopped && this.#ahead >= hostLimits.scanBatchesAhead) await this.#woken();
    }
    while (!this.#stopped && this.#waiting.size > 0) await this.#woken();
  }

  more(): void {
    this.#ahead -= 1;
    this.#wake?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** All asked-for entries in as many answers as their size takes; an empty question ends the batch. */
  read(number: number, indexes: readonly number[]): void {
    const names = this.#waiting.get(number) ?? [];
    this.#waiting.delete(number);
    let next = 0;
    while (next < indexes.length) {
      const batch = this.#writer(indexes.length - next);
      while (next < indexes.length && this.#hasRoom(batch)) this.#add(batch, names[indexes[next++] ?? 0] ?? "", false);
      send({ type: "contents", number, batch: batch.finish() });
    }
    this.#wake?.();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #writer(entries: number): BatchWriter {
    return new BatchWriter(entries, this.#job.windows.length, this.#contents);
  }

  #hasRoom(batch: BatchWriter): boolean {
    return batch.count < hostLimits.scanBatchEntries && batch.contentLength < hostLimits.scanBatchBytes;
  }

  #add(batch: BatchWriter, latin1: string, factsOnly: boolean): void {
    const name = textOfLatin1(latin1);
    this.#name[this.#name.write(latin1, "latin1")] = 0;
    const { directory } = this.#job;
    let errno = native.statEntrySync(directory, this.#name, this.#statx);
    if (errno !== 0) {
      batch.addUnusable(name, false, errno);
      return;
    }
    const isSymlink = this.#kind === S_IFLNK;
    if (factsOnly) {
      batch.addUsable(name, isSymlink, this.#statxKept, null, null);
      return;
    }
    if (isSymlink) {
      const elsewhere = this.#leadsElsewhere(name);
      if (elsewhere !== null) {
        batch.addElsewhere(name, elsewhere);
        return;
      }
      errno = native.statTargetSync(directory, this.#name, this.#statx);
      if (errno !== 0) {
        batch.addUnusable(name, true, errno);
        return;
      }
    }
    // Opening a FIFO wakes its writer, and a character device may rewind a tape: their facts are enough.
    if (!isOpened.has(this.#kind)) {
      batch.addUsable(name, isSymlink, this.#statxKept, null, null);
      return;
    }
    const flags = openFlags | (isSymlink ? 0 : constants.O_NOFOLLOW);
    let fd = native.openAtSync(directory, this.#name, flags | O_NOATIME);
    if (fd === -osConstants.errno.EPERM) fd = native.openAtSync(directory, this.#name, flags);
    if (fd < 0) {
      batch.addUnusable(name, isSymlink, -fd);
      return;
    }
    this.#addOpen(batch, name, isSymlink, fd);
    native.closeSync(fd);
  }

  #addOpen(batch: BatchWriter, name: string, isSymlink: boolean, fd: number): void {
    // The entry may have been replaced between the look and the opening: what was opened counts.
    const errno = native.statOpenSync(fd, this.#statx);
    if (errno !== 0) {
      batch.addUnusable(name, isSymlink, errno);
      return;
    }
    if (this.#kind === S_IFBLK) this.#statxSize[0] = native.sizeSync(fd) ?? 0n;
    const label = this.#labelled ? native.labelSync(fd) : null;
    if (this.#kind !== S_IFREG && this.#kind !== S_IFBLK) {
      batch.addUsable(name, isSymlink, this.#statxKept, label, null);
      return;
    }
    const size = Number(this.#statxSize[0]);
    const free = batch.free;
    const head = readRange(fd, 0, this.#job.headBytes, size, free);
    if (head < 0) {
      batch.addUnusable(name, isSymlink, -head);
      return;
    }
    let used = lengthWithoutTrailingZeros(free, head);
    const lengths = [used];
    for (const { offset, length } of this.#job.windows) {
      const read = readRange(fd, offset, length, size, free.subarray(used));
      if (read < 0) {
        batch.addUnusable(name, isSymlink, -read);
        return;
      }
      lengths.push(read);
      used += read;
    }
    batch.addUsable(name, isSymlink, this.#statxKept, label, lengths);
  }

  get #kind(): number {
    return (this.#statxMode[0] ?? 0) & S_IFMT;
  }

  /** The path of a symlink that leads to storage which can hang; this thread must not follow it. */
  #leadsElsewhere(name: string): string | null {
    if (this.#job.follows === "everywhere") return null;
    this.#mounts ??= mountTables.parse(readFileSync("/proc/self/mountinfo", "latin1"));
    const path = joinPath(
      textOfBytes(readlinkSync(`/proc/self/fd/${this.#job.directory}`, { encoding: "buffer" })),
      name,
    );
    const walk = locate(this.#mounts, path);
    let step = walk.next();
    while (!step.done) step = walk.next(firstLinkSync(step.value));
    return step.value.home === "remote" ? step.value.path : null;
  }
}

/** Bytes read into `target` from a file of `size` bytes, or a negated errno. */
function readRange(fd: number, offset: number, length: number, size: number, target: Uint8Array): number {
  const wanted = Math.min(length, size - offset);
  if (wanted <= 0) return 0;
  let done = 0;
  while (done < wanted) {
    const read = native.readAtSync(fd, target.subarray(done, wanted), offset + done);
    if (read === -osConstants.errno.EINTR) continue;
    if (read < 0) return read;
    if (read === 0) break;
    done += read;
  }
  return done;
}

const zeros = Buffer.alloc(4_096);

/** Compares with zeros in ever smaller steps: most heads are a few hundred bytes followed by zeros. */
function lengthWithoutTrailingZeros(bytes: Uint8Array, length: number): number {
  let end = length;
  for (const step of [4_096, 256]) {
    while (end > 0) {
      const start = Math.max(0, end - step);
      if (zeros.compare(bytes, start, end, 0, end - start) !== 0) break;
      end = start;
    }
  }
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

function send(answer: ScanAnswer): void {
  parentPort?.postMessage(answer, transferable(answer));
}

function transferable(answer: ScanAnswer): ArrayBuffer[] {
  const batch: ScanBatch | null = "batch" in answer ? answer.batch : null;
  return batch === null ? [] : [batch.records, batch.contents];
}

let current: Scan | null = null;

async function perform(job: ScanJob): Promise<void> {
  try {
    current = new Scan(job);
    await current.run();
    current = null;
    send({ type: "end" });
  } catch (failure) {
    current = null;
    const { code, errno, message } = hostErrorFrom(failure);
    send({ type: "failed", code, errno, message });
  }
}

parentPort?.on("message", (order: ScanOrder) => {
  switch (order.type) {
    case "scan":
      void perform(order.scan);
      return;
    case "read":
      current?.read(order.batch, order.indexes);
      return;
    case "more":
      current?.more();
      return;
    case "stop":
      current?.stop();
      return;
    case "close":
      current?.stop();
      parentPort?.close();
      return;
  }
});
