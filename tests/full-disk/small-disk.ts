import { execFile } from "node:child_process";
import { readFile, rm, stat, statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type LoopMount, type LoopType, mountLoop } from "../support/loop.js";

const PIECES = 12;
const FILL_TIMEOUT_MS = 20_000;
/** Space of a deleted file comes back a moment later. */
const SETTLED_MS = 3_000;

/** A file system that can be filled to any level. */
export class SmallDisk implements Disposable {
  readonly type: LoopType;
  /** What it takes for itself when files come and go: directory blocks, extents, chunks of inodes. */
  readonly slackBytes: number;
  readonly #mount: LoopMount;
  #unfilledBytes = 0;

  constructor(type: LoopType, sizeBytes?: number) {
    this.type = type;
    this.slackBytes = type === "ext4" ? 64 * 1024 : 1024 * 1024;
    this.#mount = mountLoop(type, sizeBytes);
  }

  get pool(): string {
    return join(this.#mount.mountPoint, "pool");
  }

  async freeBytes(): Promise<number> {
    await promisify(execFile)("sync", ["--file-system", this.#mount.mountPoint]);
    const { bfree, bsize } = await statfs(this.#mount.mountPoint);
    return bfree * bsize;
  }

  /** Of the free ones those that files may get: ext4 keeps some for itself, and says how many clusters. */
  async usableBytes(): Promise<number> {
    const freeBytes = await this.freeBytes();
    if (this.type !== "ext4") return freeBytes;
    const source = ["--noheadings", "--output", "SOURCE", this.#mount.mountPoint];
    const device = basename((await promisify(execFile)("findmnt", source)).stdout.trim());
    const clusters = Number(await readFile(`/sys/fs/ext4/${device}/reserved_clusters`, "latin1"));
    const { bsize } = await statfs(this.#mount.mountPoint);
    return Math.max(0, freeBytes - clusters * bsize);
  }

  async capacityBytes(): Promise<number> {
    const { blocks, bsize } = await statfs(this.#mount.mountPoint);
    return blocks * bsize;
  }

  /** Takes space until about so much is left to be had. */
  async fill(leaveBytes: number): Promise<void> {
    this.#unfilledBytes = await this.freeBytes();
    const { bsize } = await statfs(this.#mount.mountPoint);
    // In pieces, smaller and smaller: what the tables of the file system need is not known beforehand.
    for (let piece = 0; piece < PIECES; piece++) {
      const tooMuch = (await this.usableBytes()) - leaveBytes;
      if (tooMuch < bsize) return;
      for (let size = tooMuch; size >= bsize; size = Math.floor(size / 2)) {
        const args = ["--length", String(size - (size % bsize)), join(this.#mount.mountPoint, `filler-${piece}`)];
        if (await succeeds("fallocate", args)) break;
      }
    }
  }

  /** Gives back what `fill` took. */
  async empty(): Promise<void> {
    const others = this.#unfilledBytes - (await this.freeBytes());
    let filled = 0;
    for (let piece = 0; piece < PIECES; piece++) {
      const path = join(this.#mount.mountPoint, `filler-${piece}`);
      filled += (await stat(path).catch(() => null))?.size ?? 0;
      await rm(path, { force: true });
    }
    await this.settledFreeBytes(this.#unfilledBytes - (others - filled));
  }

  /** Free bytes, once they are what is expected, or what they are after a moment. */
  async settledFreeBytes(expected: number): Promise<number> {
    const deadline = Date.now() + SETTLED_MS;
    for (;;) {
      const free = await this.freeBytes();
      if (Math.abs(free - expected) <= this.slackBytes || Date.now() > deadline) return free;
      await sleep(50);
    }
  }

  [Symbol.dispose](): void {
    this.#mount.unmount();
  }
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await promisify(execFile)(program, args, { timeout: FILL_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}
