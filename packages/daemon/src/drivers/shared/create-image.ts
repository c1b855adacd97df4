import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Command, Directory, File, RunOptions } from "../../host/host.js";
import { identityOf } from "../../host/index.js";
import type { EmptyQcow2 } from "../../images/qcow2-writer.js";
import type { Job } from "../../jobs/job.js";
import {
  type ConversionPace,
  convertImage,
  convertKeyedImage,
  type FileArgument,
  type PassphraseArgument,
  passphraseId,
  progressReader,
} from "../../tools/qemu-img.js";
import { imageFormat } from "../../tools/qemu-img-checks.js";
import type { CloneSource, FoundVolume, VolumeContext } from "../driver.js";
import { openSource, refuseNewSource } from "./clone-source.js";
import { emptyQcow2Of, takenBytesOf, writeEmptyQcow2 } from "./create-qcow2.js";
import { refuseEndlessChain } from "./endless-chain.js";
import { PREALLOCATE_METADATA } from "./fill-flags.js";
import { creationOf, type ImagePlan, type Keys, keyedFormat, planImage } from "./image-plan.js";
import { withNewFile } from "./new-file.js";
import { passphraseOf, withPassphraseFile, withSecretOfPath } from "./passphrase-file.js";
import { asImage } from "./refresh-file.js";
import { type RoomRequest, withRoom } from "./room.js";
import { jobOptions, runCommand } from "./run-command.js";
import { pathOf } from "./target-directory.js";

/**
 * Makes an image; its content is that of `source`, if there is one, whatever format that has. An empty qcow2 is written
 * here, everything else by qemu-img.
 */
export async function createImageFile(
  pool: PoolDocument,
  directory: Directory,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FoundVolume | undefined> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "storageBackendCreateQemuImg", flags, PREALLOCATE_METADATA);
  const preallocates = (flags & PREALLOCATE_METADATA) !== 0;
  const from = source?.document ?? null;
  return withPassphrases(volume, from, context, async (keys) => {
    const plan = await planImage(pool, volume, from, preallocates, keys, context);
    const empty = source === null ? emptyQcow2Of(plan) : null;
    const room = { ...roomOf(plan, empty, from), directory, detail: `cannot create image '${pathOf(volume)}'` };
    // Of an image that is little more than a header, nothing is on the disk before its name is.
    const isEmpty = empty !== null && !preallocates;
    const facts = await withNewFile(directory, volume, context, { sizeBytes: 0n, isEmpty }, (file) =>
      withRoom(room, context, async (taken) => {
        const output = { file, name: volume.name };
        if (empty !== null) await write(empty, volume, file, context, taken);
        else if (source === null) await run(creationOf(plan, output), context);
        else await clone(plan, source, output, context, () => taken(room.bytes));
      }),
    );
    // What a backing store is like has to be looked at.
    if (empty === null || volume.backingStore !== null) return undefined;
    return { document: asImage(volume, facts, empty.capacityBytes), evidence: null, identity: identityOf(facts) };
  });
}

/**
 * Writes an image's format and content into what is there already: a device. With a key it is LUKS; the content is that of
 * `source`, whatever format that has, or nothing.
 */
export async function writeImageInto(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  output: FileArgument,
  context: VolumeContext,
): Promise<void> {
  const from = source?.document ?? null;
  await withPassphrases(volume, from, context, async (keys) => {
    const plan = await planImage(pool, volume, from, false, keys, context);
    if (source === null) await run(creationOf(plan, output), context);
    else await clone(plan, source, output, context, () => {});
  });
}

function roomOf(
  { volume, preallocation }: ImagePlan,
  empty: EmptyQcow2 | null,
  source: VolumeDocument | null,
): Pick<RoomRequest, "bytes" | "leastBytes"> {
  if (empty !== null) return { bytes: takenBytesOf(empty) };
  if (preallocation === "falloc") return { bytes: larger(volume.capacityBytes, LEAST_IMAGE_BYTES) };
  // How much a conversion will take is not known before; without any room it is not begun.
  return { bytes: larger(source?.allocationBytes ?? 0n, LEAST_IMAGE_BYTES), leastBytes: LEAST_IMAGE_BYTES };
}

function larger(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

async function write(
  empty: EmptyQcow2,
  volume: VolumeDocument,
  file: File,
  { job }: VolumeContext,
  taken: (bytes: bigint) => void,
): Promise<void> {
  if (volume.target.noCopyOnWrite) {
    await file.setNoCopyOnWrite(true).catch(() => {
      // Few file systems have it, and to qemu-img it is no more than a wish either.
    });
  }
  await writeEmptyQcow2(empty, file, job, taken);
}

/**
 * A clone has no backing store of its own: it holds everything that its source shows. `reserved`: it has by now whatever was
 * to be preallocated, which qemu-img does before it copies anything.
 */
async function clone(
  plan: ImagePlan,
  source: CloneSource,
  output: FileArgument,
  context: VolumeContext,
  reserved: () => void,
): Promise<void> {
  const { volume, options, keys } = plan;
  const { document } = source;
  const opened = await openSource(source, context);
  const { directory, name, path, followsSymlink } = opened;
  await using _directory = directory;
  await refuseNewSource(opened, context);
  const image = { path, format: imageFormat(document), followsSymlink };
  await refuseEndlessChain(image, directory.host, context.job.signal);
  const input = { in: directory, name };
  if (keys.output === null && keys.input === null) {
    const formats = { inputFormat: imageFormat(document), outputFormat: imageFormat(volume) };
    context.job.way("qemu-img convert");
    const command = convertImage({ ...formats, options, input, output, pace: paceOf(context.job) });
    await convert(command, document, context, reserved);
    return;
  }
  await run(creationOf({ ...plan, backing: null }, output), context);
  reserved();
  const from = { format: keyedFormat(document), passphrase: keys.input, file: input };
  const to = { format: keyedFormat(volume), passphrase: keys.output, file: output };
  context.job.way("qemu-img convert");
  await convert(convertKeyedImage(from, to, paceOf(context.job)), document, context, reserved);
}

/** qemu-img limits itself and says how far it is; what it copies is what a guest sees. */
function paceOf({ bandwidthBytesPerSecond }: Job): ConversionPace {
  return { bytesPerSecond: bandwidthBytesPerSecond };
}

async function convert(
  command: Command,
  source: VolumeDocument,
  context: VolumeContext,
  copies: () => void,
): Promise<void> {
  const totalBytes = source.capacityBytes;
  const output = progressReader((share) => {
    if (share > 0) copies();
    context.job.progress((totalBytes * BigInt(Math.round(share * PARTS))) / BigInt(PARTS), totalBytes);
  });
  await run(command, context, { output });
}

const PARTS = 10_000;

/** Less room than this and qemu-img gets nowhere with its tables (and for some formats trips over its own error). */
const LEAST_IMAGE_BYTES = 1_048_576n;

/**
 * Before qemu-img makes a key it measures how fast this machine derives one. Where the kernel counts a thread's time in ticks it
 * sees no time at all in one call of three, more on some machines, and gives up within milliseconds; the next call may see it.
 */
const CLOCK_TROUBLE = "Unable to get accurate CPU usage";
const CLOCK_ATTEMPTS = 50;

async function withPassphrases<T>(
  volume: VolumeDocument,
  source: VolumeDocument | null,
  context: VolumeContext,
  use: (keys: Keys) => Promise<T>,
): Promise<T> {
  const { encryption } = volume.target;
  const output = encryption === null ? null : await passphraseOf(encryption, context);
  const input = source === null ? null : await passphraseOfSource(source, context);
  const id = passphraseId(volume.name);
  const sourceId = passphraseId(source?.name ?? "");
  // Two volumes of one name in two pools: qemu-img takes no two passphrases of one id.
  const inputId = sourceId === id ? `input_${id}` : sourceId;
  return asFile(context, id, output, (outputKey) =>
    asFile(context, inputId, input, (inputKey) => use({ output: outputKey, input: inputKey })),
  );
}

async function passphraseOfSource(source: VolumeDocument, context: VolumeContext): Promise<Uint8Array | null> {
  const { encryption } = source.target;
  if (encryption === null) return null;
  return passphraseOf(await withSecretOfPath(encryption, pathOf(source), context), context);
}

function asFile<T>(
  { privateDirectory }: VolumeContext,
  id: string,
  passphrase: Uint8Array | null,
  use: (argument: PassphraseArgument | null) => Promise<T>,
): Promise<T> {
  return passphrase === null ? use(null) : withPassphraseFile(privateDirectory, id, passphrase, use);
}

async function run(
  command: Command,
  { host, job }: VolumeContext,
  options: Pick<RunOptions, "output"> = {},
): Promise<void> {
  const text = "creation of non-raw file images is not supported without qemu-img.";
  const whenMissing = LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  for (let attempt = 1; ; attempt++) {
    try {
      await runCommand(host, command, { ...jobOptions(job), ...options, whenMissing });
      return;
    } catch (thrown) {
      const isClock = thrown instanceof LibvirtError && thrown.message.includes(CLOCK_TROUBLE);
      if (!isClock || attempt === CLOCK_ATTEMPTS) throw thrown;
    }
  }
}
