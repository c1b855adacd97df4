import { type Cipher, createCipheriv, randomBytes } from "node:crypto";
import { constants as osConstants } from "node:os";
import { hostLimits } from "../../limits.js";
import { copiesOnWrite, neverSharesBlocks } from "../file-system-types.js";
import type { ByteRange } from "../host.js";
import * as native from "../native.js";
import * as system from "../system-calls.js";
import { checked, NativeFailure, plainFactsOfOpen } from "./native-facts.js";

/** Native calls on what is in files, and where it lies. */
export const contentCalls = {
  truncate({ fd, sizeBytes }: { fd: number; sizeBytes: bigint }): void {
    checked(system.truncate(fd, sizeBytes));
  },

  allocate({ fd, offsetBytes, lengthBytes, keepSize }: Range & { keepSize: boolean }): void {
    const call = keepSize ? system.allocateKeepingSize : system.allocate;
    checked(call(fd, offsetBytes, lengthBytes));
  },

  discard({ fd, offsetBytes, lengthBytes }: Range): void {
    const call = plainFactsOfOpen(fd).kind === "block" ? system.discardOfDevice : system.punchHole;
    const result = call(fd, offsetBytes, lengthBytes);
    if (result < 0) throw new NativeFailure(cannotDiscard.has(-result) ? EOPNOTSUPP : -result);
  },

  /** See `File.discardUnwritten`. */
  discardUnwritten({ fd, offsetBytes, lengthBytes }: Range): void {
    const endBytes = offsetBytes + lengthBytes;
    checked(system.takeLease(fd));
    try {
      for (let atBytes = offsetBytes; atBytes < endBytes; ) {
        const extents = system.extentsFrom(fd, atBytes);
        if (typeof extents === "number") throw new NativeFailure(-extents);
        for (const extent of extents) {
          if (extent.isUnwritten) discardWithin(fd, extent, { startBytes: atBytes, endBytes });
        }
        const last = extents.at(-1);
        if (last === undefined || last.isLast || last.endBytes <= atBytes) break;
        atBytes = last.endBytes;
      }
    } finally {
      system.returnLease(fd);
    }
  },

  sync({ fd }: { fd: number }): void {
    checked(system.sync(fd));
  },

  syncData({ fd }: { fd: number }): void {
    checked(system.syncData(fd));
  },

  /** It only helps: whether it could be done shows when the file is flushed. */
  startWriteback({ fd, offsetBytes, lengthBytes }: Range): void {
    system.startWriteback(fd, offsetBytes, lengthBytes);
  },

  /** Shares all of `source`'s blocks with `target`. */
  clone({ source, target }: { source: number; target: number }): void {
    checked(-native.cloneSync(target, source));
  },

  copyRange({ source, sourceOffset, target, targetOffset, lengthBytes, mayShare }: CopiedRange): CopiedBytes {
    if (!mayShare && !neverSharesBlocks(system.fileSystemMagic(target))) {
      return copyByReading(source, sourceOffset, target, targetOffset, lengthBytes);
    }
    const copied = system.copyRange(source, sourceOffset, target, targetOffset, lengthBytes);
    if (copied > 0) return { copiedBytes: BigInt(copied), way: "kernel" };
    if (copied < 0 && !cannotCopy.has(-copied)) throw new NativeFailure(-copied);
    // Files that the kernel makes up as they are read have no size to it, and 0 is what it then says.
    return copyByReading(source, sourceOffset, target, targetOffset, lengthBytes);
  },

  overwrite({ fd, offsetBytes, lengthBytes, pattern }: Range & { pattern: "zeros" | "random" }): void {
    for (let done = 0n; done < lengthBytes; ) {
      const length = Math.min(hostLimits.copyBlockBytes, Number(lengthBytes - done));
      const bytes = pattern === "zeros" ? zeros.subarray(0, length) : nextRandom(length);
      checked(system.writeAt(fd, bytes, offsetBytes + done));
      done += BigInt(length);
    }
  },

  /** Where the file system cannot tell, the rest is data. */
  dataFrom({ fd, offsetBytes }: { fd: number; offsetBytes: bigint }): readonly ByteRange[] {
    const sizeBytes = BigInt(checked(system.sizeOf(fd)));
    const ranges: ByteRange[] = [];
    for (let atBytes = offsetBytes; atBytes < sizeBytes && ranges.length < DATA_RANGES; ) {
      const data = system.seekData(fd, atBytes);
      if (data === -ENXIO) break;
      const startBytes = data < 0 ? atBytes : BigInt(data);
      // Somebody lengthened the file meanwhile.
      if (startBytes >= sizeBytes) break;
      const hole = data < 0 ? sizeBytes : BigInt(system.seekHole(fd, startBytes));
      const endBytes = hole > startBytes ? hole : sizeBytes;
      ranges.push({ startBytes, endBytes });
      atBytes = endBytes;
    }
    return ranges;
  },

  blocksFrom({ fd, offsetBytes }: { fd: number; offsetBytes: bigint }): readonly ByteRange[] | null {
    const extents = system.extentsFrom(fd, offsetBytes);
    if (typeof extents === "number") return null;
    // The first may have begun before.
    return extents
      .filter(({ endBytes }) => endBytes > offsetBytes)
      .map(({ startBytes, endBytes }) => ({
        startBytes: startBytes < offsetBytes ? offsetBytes : startBytes,
        endBytes,
      }));
  },

  storageTraits({ fd }: { fd: number }): { copyOnWrite: boolean; sharesBlocks: boolean | null } {
    const magic = system.fileSystemMagic(fd);
    const copyOnWrite = magic >= 0 && copiesOnWrite(magic) && !system.isNoCopyOnWrite(fd);
    return { copyOnWrite, sharesBlocks: sharesBlocks(fd) };
  },
} as const;

export interface Range {
  readonly fd: number;
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
}

export interface CopiedRange {
  readonly source: number;
  readonly sourceOffset: bigint;
  readonly target: number;
  readonly targetOffset: bigint;
  readonly lengthBytes: bigint;
  /** See `CopyOptions`. */
  readonly mayShare: boolean;
}

export interface CopiedBytes {
  readonly copiedBytes: bigint;
  readonly way: "kernel" | "buffered";
}

const { EAGAIN, EINVAL, ENOSYS, ENOTTY, ENXIO, EOPNOTSUPP, EXDEV } = osConstants.errno;

const cannotDiscard: ReadonlySet<number> = new Set([ENOSYS, ENOTTY, EOPNOTSUPP]);
const cannotCopy: ReadonlySet<number> = new Set([EXDEV, EOPNOTSUPP, ENOSYS, EINVAL]);

/** What one look gives, as `system.extentsFrom` does of blocks. */
const DATA_RANGES = 256;

const zeros = Buffer.alloc(hostLimits.copyBlockBytes);
let random: Cipher | null = null;
let buffer: Buffer | null = null;

/** One block at most: whoever asks asks again. */
function copyByReading(
  source: number,
  sourceOffset: bigint,
  target: number,
  targetOffset: bigint,
  lengthBytes: bigint,
): CopiedBytes {
  buffer ??= Buffer.allocUnsafeSlow(hostLimits.copyBlockBytes);
  let done = 0n;
  while (done < lengthBytes) {
    const block = buffer.subarray(0, Math.min(buffer.length, Number(lengthBytes - done)));
    const read = checked(system.readAt(source, block, sourceOffset + done));
    checked(system.writeAt(target, block.subarray(0, read), targetOffset + done));
    done += BigInt(read);
    if (read < block.length) break;
  }
  return { copiedBytes: done, way: "buffered" };
}

/** The next bytes of a stream that only this thread's key gives: as good as the kernel's, and a hundred times as fast. */
function nextRandom(length: number): Uint8Array {
  random ??= createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16));
  return random.update(zeros.subarray(0, length));
}

/** Discards what both ranges cover, under a lease. */
function discardWithin(fd: number, extent: ByteRange, within: ByteRange): void {
  const startBytes = extent.startBytes > within.startBytes ? extent.startBytes : within.startBytes;
  const endBytes = extent.endBytes < within.endBytes ? extent.endBytes : within.endBytes;
  if (endBytes <= startBytes) return;
  // A lease that somebody waits for ends by itself: then he writes, and what was unwritten may be so no more.
  if (!system.holdsLease(fd)) throw new NativeFailure(EAGAIN);
  checked(system.punchHole(fd, startBytes, endBytes - startBytes));
}

function sharesBlocks(fd: number): boolean | null {
  let offsetBytes = 0n;
  for (let seen = 0; seen < hostLimits.extentsLookedAt; ) {
    const extents = system.extentsFrom(fd, offsetBytes);
    if (typeof extents === "number") return null;
    if (extents.some(({ isShared }) => isShared)) return true;
    const last = extents.at(-1);
    if (last === undefined || last.isLast || last.endBytes <= offsetBytes) return false;
    offsetBytes = last.endBytes;
    seen += extents.length;
  }
  return null;
}
