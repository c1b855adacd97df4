import { type FileHandle, open, unlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { type Hole, isHole, type Volume } from "@cistern/client";
import type { Command } from "commander";
import { type Context, findPool } from "../context.js";
import { UsageError } from "../exit-status.js";
import { Progress } from "../output/progress.js";
import { formatSize } from "../output/size.js";
import { printable } from "../output/text.js";
import { sizeArgument } from "./arguments.js";

type ContextOf = (command: Command) => Context;

interface TransferOptions {
  readonly offset?: bigint;
  readonly length?: bigint;
  readonly sparse?: boolean;
}

/** What is read at once: zeros are looked for in pieces of this size. */
const BLOCK_BYTES = 256 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

export function addVolumeTransferCommands(volume: Command, contextOf: ContextOf): void {
  volume
    .command("upload <pool> <volume> <file>")
    .description('Write a file\'s contents ("-": standard input) into a volume')
    .option("--offset <size>", "where in the volume to begin", sizeArgument)
    .option("--length <size>", "how much to take at most", sizeArgument)
    .option("--sparse", "send zeros as holes")
    .action((pool: string, name: string, file: string, options: TransferOptions, command: Command) =>
      upload(contextOf(command), pool, name, file, options),
    );

  volume
    .command("download <pool> <volume> <file>")
    .description('Write a volume\'s contents into a file ("-": standard output)')
    .option("--offset <size>", "where in the volume to begin", sizeArgument)
    .option("--length <size>", "how much to take at most", sizeArgument)
    .option("--sparse", "leave holes where the volume has them")
    .option("--force", "overwrite a file that is there")
    .action(
      (pool: string, name: string, file: string, options: TransferOptions & { force?: boolean }, command: Command) =>
        download(contextOf(command), pool, name, file, options),
    );
}

async function upload(
  context: Context,
  poolName: string,
  name: string,
  file: string,
  options: TransferOptions,
): Promise<void> {
  const { stdin, stderr, signal } = context.surroundings;
  const source = file === "-" ? null : await open(file, "r");
  try {
    const size = source === null ? null : BigInt((await source.stat()).size);
    const total = size === null ? (options.length ?? null) : smaller(size, options.length ?? 0n);
    await onVolume(context, poolName, name, async (volume) => {
      const target = await volume.openUpload({ ...settings(options), ...context.call });
      const progress = new Progress(stderr, `Uploading ${printable(name)}`, total, context.options.quiet);
      const input = source === null ? stdin : source.createReadStream({ autoClose: false, highWaterMark: BLOCK_BYTES });
      let bytes = 0n;
      const counted = count(limit(input as AsyncIterable<Buffer>, options.length ?? 0n), (more) => {
        bytes += more;
        progress.add(more);
      });
      try {
        await pipeline(options.sparse === true ? findHoles(counted) : counted, target, { signal });
      } finally {
        progress.end();
      }
      report(context, volume, "uploaded", bytes);
    });
  } finally {
    await source?.close();
  }
}

async function download(
  context: Context,
  poolName: string,
  name: string,
  file: string,
  options: TransferOptions & { force?: boolean },
): Promise<void> {
  const { stdout, stderr, signal } = context.surroundings;
  if (file === "-" && options.sparse === true)
    throw new UsageError("--sparse needs a file: standard output has no holes");
  await onVolume(context, poolName, name, async (volume) => {
    const { capacityBytes } = await volume.info({}, context.call);
    const target = file === "-" ? null : await open(file, options.force === true ? "w" : "wx");
    const progress = new Progress(
      stderr,
      `Downloading ${printable(name)}`,
      smaller(capacityBytes, options.length ?? 0n),
      context.options.quiet,
    );
    let bytes = 0n;
    const onBytes = (more: bigint): void => {
      bytes += more;
      progress.add(more);
    };
    try {
      const source = await volume.openDownload({ ...settings(options), ...context.call });
      if (target === null)
        await pipeline(source, (chunks: AsyncIterable<Buffer>) => count(chunks, onBytes), stdout, {
          signal,
          end: false,
        });
      else
        await pipeline(source, (chunks: AsyncIterable<Buffer | Hole>) => writeSparse(target, count(chunks, onBytes)), {
          signal,
        });
    } catch (error) {
      // Half a volume looks like a whole one.
      if (target !== null) await unlink(file);
      throw error;
    } finally {
      progress.end();
      await target?.close();
    }
    if (file !== "-") report(context, volume, "downloaded", bytes);
  });
}

async function onVolume(
  context: Context,
  poolName: string,
  name: string,
  work: (volume: Volume) => Promise<void>,
): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    await work(await pool.lookupVolume(name, context.call));
  });
}

function report(context: Context, volume: Volume, done: string, bytes: bigint): void {
  context.printDone(`Volume ${printable(volume.name)} ${done} (${formatSize(bytes)})`, {
    pool: volume.poolName,
    volume: volume.name,
    [done]: true,
    bytes,
  });
}

function settings({ offset, length, sparse }: TransferOptions) {
  return { offsetBytes: offset, lengthBytes: length, sparse };
}

/** A length of 0 is no limit, as everywhere in libvirt's streams. */
function smaller(sizeBytes: bigint, lengthBytes: bigint): bigint {
  return lengthBytes > 0n && lengthBytes < sizeBytes ? lengthBytes : sizeBytes;
}

async function* limit(chunks: AsyncIterable<Buffer>, lengthBytes: bigint): AsyncGenerator<Buffer> {
  let left = lengthBytes;
  for await (const chunk of chunks) {
    if (lengthBytes === 0n || BigInt(chunk.length) <= left) yield chunk;
    else yield chunk.subarray(0, Number(left));
    left -= BigInt(chunk.length);
    if (lengthBytes > 0n && left <= 0n) return;
  }
}

async function* count<Chunk extends Buffer | Hole>(
  chunks: AsyncIterable<Chunk>,
  onBytes: (bytes: bigint) => void,
): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    onBytes(isHole(chunk) ? chunk.holeBytes : BigInt((chunk as Buffer).length));
    yield chunk;
  }
}

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
