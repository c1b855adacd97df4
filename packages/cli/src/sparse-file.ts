import type { FileHandle } from "node:fs/promises";
import { type Hole, isHole } from "@cistern/client";

/** What is read at once: zeros are looked for in pieces of this size. */
export const BLOCK_BYTES = 256 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Turns pieces that are all zeros into holes; neighbours become one. */
export async function* findHoles(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | Hole> {
  let holeBytes = 0n;
  for await (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length; offset += BLOCK_BYTES) {
      const block = chunk.subarray(offset, offset + BLOCK_BYTES);
      if (block.equals(ZEROS.subarray(0, block.length))) holeBytes += BigInt(block.length);
      else {
        if (holeBytes > 0n) yield { holeBytes };
        holeBytes = 0n;
        yield block;
      }
    }
  }
  if (holeBytes > 0n) yield { holeBytes };
}

/** Writes bytes at their place and skips holes; a hole at the end counts too. */
export async function writeSparse(file: FileHandle, chunks: AsyncIterable<Buffer | Hole>): Promise<void> {
  let position = 0n;
  for await (const chunk of chunks) {
    if (isHole(chunk)) position += chunk.holeBytes;
    else {
      for (let written = 0; written < chunk.length; ) {
        written += (await file.write(chunk, written, chunk.length - written, Number(position) + written)).bytesWritten;
      }
      position += BigInt(chunk.length);
    }
  }
  if ((await file.stat()).isFile()) await file.truncate(Number(position));
}
