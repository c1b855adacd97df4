import { type FileHandle, open, unlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { type Hole, isHole, type Volume } from "@cistern/client";
import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import { attempt, Failure } from "../failure.js";
import { withLocalFile } from "../local-file.js";
import { findVolume } from "../lookup.js";
import { Progress } from "../output/progress.js";
import { spareDefined } from "../own-program.js";
import { BLOCK_BYTES, findHoles, writeSparse } from "../sparse-file.js";
import { command } from "./command.js";
import {
  evenIfDefinedParameter,
  flag,
  optionalPoolParameter,
  optionalSize,
  text,
  volumeParameter,
} from "./parameters.js";

export const volUpload = command({
  name: "vol-upload",
  summary: "upload file contents to a volume",
  parameters: {
    vol: volumeParameter,
    file: text('file ("-": standard input)', { completes: "files" }),
    pool: optionalPoolParameter,
    offset: optionalSize("volume offset to upload to"),
    length: optionalSize("amount of data to upload"),
    sparse: flag("preserve sparseness of volume: send zeros as holes"),
    "even-if-defined": evenIfDefinedParameter,
  },
  async run(context, { vol, pool, "even-if-defined": evenIfDefined, ...values }) {
    await context.withConnection(async (connection) => {
      await spareDefined(connection, evenIfDefined, context.call);
      const volume = await findVolume(connection, vol, pool, context.call);
      await attempt(`cannot upload to volume ${volume.name}`, () => upload(context, volume, values), {
        pool: volume.poolName,
        volume: volume.name,
      });
    });
  },
});

export const volDownload = command({
  name: "vol-download",
  summary: "download volume contents to a file",
  parameters: {
    vol: volumeParameter,
    file: text('file, which is overwritten if it is there ("-": standard output)', { completes: "files" }),
    pool: optionalPoolParameter,
    offset: optionalSize("volume offset to download from"),
    length: optionalSize("amount of data to download"),
    sparse: flag("preserve sparseness of volume: leave holes where the volume has them"),
  },
  async run(context, { vol, pool, ...values }) {
    if (values.file === "-" && values.sparse)
      throw new UsageError("--sparse needs a file: standard output has no holes");
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, pool, context.call);
      await attempt(`cannot download from volume ${volume.name}`, () => download(context, volume, values), {
        pool: volume.poolName,
        volume: volume.name,
      });
    });
  },
});

interface Transfer {
  readonly file: string;
  readonly offset: bigint | null;
  readonly length: bigint | null;
  readonly sparse: boolean;
}

async function upload(context: Context, volume: Volume, values: Transfer): Promise<void> {
  const { stdin } = context.surroundings;
  const { file } = values;
  const source = file === "-" ? null : await withLocalFile("read", file, () => openContents(file));
  try {
    const sizeBytes = source === null ? null : BigInt((await source.stat()).size);
    const input = source === null ? stdin : source.createReadStream({ autoClose: false, highWaterMark: BLOCK_BYTES });
    const meter = new Meter(context, `upload volume '${volume.name}'`, smaller(sizeBytes, values.length));
    const target = await volume.openUpload({ ...settings(values), ...context.call });
    const counted = meter.count(limit(input as AsyncIterable<Buffer>, values.length ?? 0n));
    await flow(context, meter, "the volume is partly overwritten", (signal) =>
      withLocalFile("read", file, () => pipeline(values.sparse ? findHoles(counted) : counted, target, { signal })),
    );
    report(context, volume, meter.doneBytes);
  } finally {
    await source?.close();
  }
}

async function download(context: Context, volume: Volume, values: Transfer): Promise<void> {
  if (values.file !== "-") return downloadToFile(context, volume, values);
  const stdout = context.printContents();
  const meter = await meterFor(context, volume, values);
  const source = await volume.openDownload({ ...settings(values), ...context.call });
  await flow(context, meter, null, (signal) =>
    pipeline(source, (chunks: AsyncIterable<Buffer>) => meter.count(chunks), stdout, { signal, end: false }),
  );
}

async function downloadToFile(context: Context, volume: Volume, values: Transfer): Promise<void> {
  const meter = await meterFor(context, volume, values);
  const source = await volume.openDownload({ ...settings(values), ...context.call });
  const target = await withLocalFile("write", values.file, () => openTarget(values.file)).catch((error: unknown) => {
    // Nobody would hear of its own end.
    source.destroy();
    throw error;
  });
  try {
    const hint = target.isNew ? "the file was removed again" : "the file holds a part of the volume";
    await flow(context, meter, hint, (signal) =>
      withLocalFile("write", values.file, () =>
        pipeline(source, (chunks: AsyncIterable<Buffer | Hole>) => writeSparse(target.handle, meter.count(chunks)), {
          signal,
        }),
      ),
    );
  } catch (error) {
    // Half a volume looks like a whole one. What was there before, a device perhaps, stays.
    if (target.isNew) await unlink(values.file);
    throw error;
  } finally {
    await target.handle.close();
  }
  report(context, volume, meter.doneBytes);
}

/** A directory can be opened, but not be read: before the volume is touched. */
async function openContents(file: string): Promise<FileHandle> {
  const handle = await open(file, "r");
  if (!(await handle.stat()).isDirectory()) return handle;
  await handle.close();
  throw new Error(`cannot read the file '${file}': it is a directory`);
}

async function openTarget(file: string): Promise<{ readonly handle: FileHandle; readonly isNew: boolean }> {
  try {
    return { handle: await open(file, "wx"), isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return { handle: await open(file, "w"), isNew: false };
  }
}

/** Lets bytes flow until all are there or the user wants to stop; `hint` says what is left then. */
async function flow(
  { surroundings: { signal } }: Context,
  meter: Meter,
  hint: string | null,
  transfer: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  try {
    await transfer(signal);
  } catch (error) {
    throw signal.aborted ? new Failure(new Error("it was cancelled"), { hint }) : error;
  } finally {
    meter.end();
  }
}

async function meterFor(context: Context, volume: Volume, { length }: Transfer): Promise<Meter> {
  const { capacityBytes } = await volume.info({}, context.call);
  return new Meter(context, `download volume '${volume.name}'`, smaller(capacityBytes, length));
}

/** Counts what flows by and shows how far it is. */
class Meter {
  readonly #progress: Progress;
  readonly #title: string;
  readonly #totalBytes: bigint | null;
  readonly #startedMs = performance.now();
  #doneBytes = 0n;

  constructor({ surroundings: { stderr }, isQuiet }: Context, title: string, totalBytes: bigint | null) {
    this.#progress = new Progress(stderr, isQuiet);
    this.#title = title;
    this.#totalBytes = totalBytes;
  }

  get doneBytes(): bigint {
    return this.#doneBytes;
  }

  async *count<Chunk extends Buffer | Hole>(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    for await (const chunk of chunks) {
      this.#add(isHole(chunk) ? chunk.holeBytes : BigInt((chunk as Buffer).length));
      yield chunk;
    }
  }

  end(): void {
    this.#progress.end();
  }

  #add(bytes: bigint): void {
    this.#doneBytes += bytes;
    const doneBytes = this.#doneBytes;
    const totalBytes = this.#totalBytes;
    const elapsedSeconds = (performance.now() - this.#startedMs) / 1000;
    const rate = elapsedSeconds > 0 ? Number(doneBytes) / elapsedSeconds : 0;
    const left = totalBytes === null || rate === 0 ? null : Number(totalBytes - doneBytes) / rate;
    const facts = { title: this.#title, doneBytes, totalBytes, remainingSeconds: left };
    this.#progress.show({ ...facts, bytesPerSecond: BigInt(Math.round(rate)) });
  }
}

/** virsh is silent about transfers that went well. */
function report(context: Context, { poolName, name }: Volume, bytes: bigint): void {
  context.printResult({ pool: poolName, volume: name, bytes }, () => "");
}

function settings({ offset, length, sparse }: Transfer) {
  return { offsetBytes: offset ?? undefined, lengthBytes: length ?? undefined, sparse };
}

/** A length of 0 is no limit, as everywhere in libvirt's streams. */
function smaller(sizeBytes: bigint | null, lengthBytes: bigint | null): bigint | null {
  if (lengthBytes === null || lengthBytes === 0n) return sizeBytes;
  return sizeBytes === null || lengthBytes < sizeBytes ? lengthBytes : sizeBytes;
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
