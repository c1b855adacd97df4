import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Command, Directory, RunOptions } from "../../host/host.js";
import { guestCapacityBytes } from "../../images/probe.js";
import type { Job } from "../../jobs/job.js";
import {
  type ConversionPace,
  convertImage,
  convertKeyedImage,
  createImage,
  type FileArgument,
  type PassphraseArgument,
  passphraseId,
  progressReader,
} from "../../tools/qemu-img.js";
import { checkBacking, checkEncryption, checkFormat, imageFormat } from "../../tools/qemu-img-checks.js";
import { imageOptions } from "../../tools/qemu-img-options.js";
import type { VolumeContext } from "../driver.js";
import { openSource } from "./clone-source.js";
import { failingAs } from "./failure.js";
import { contentOf } from "./file-content.js";
import { PREALLOCATE_METADATA } from "./fill-flags.js";
import { withNewFile } from "./new-file.js";
import { passphraseOf, withPassphraseFile, withSecretOfPath } from "./passphrase-file.js";
import { tellingRoom } from "./room.js";
import { jobOptions, runCommand } from "./run-command.js";
import { pathOf, targetPath } from "./target-directory.js";

/** Makes an image with qemu-img; its content is that of `source`, if there is one, whatever format that has. */
export async function createWithQemuImg(
  pool: PoolDocument,
  directory: Directory,
  volume: VolumeDocument,
  source: VolumeDocument | null,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "storageBackendCreateQemuImg", flags, PREALLOCATE_METADATA);
  const preallocates = (flags & PREALLOCATE_METADATA) !== 0;
  await withPassphrases(volume, source, context, async (keys) => {
    checkFormat(volume, preallocates);
    checkBacking(volume, source, preallocates);
    const backing = await accessibleBacking(pool, volume, context);
    checkEncryption(volume);
    const plan: ImagePlan = { volume, backing, options: optionsOf(volume, source, preallocates, keys.output), keys };
    const bytes = source === null ? bytesOf(volume, preallocates) : source.allocationBytes;
    const room = { directory, bytes, detail: `cannot create image '${pathOf(volume)}'` };
    await withNewFile(directory, volume, context, { sizeBytes: 0n, isEmpty: false }, async (file) => {
      const output = { file, name: volume.name };
      await tellingRoom(room, () =>
        source === null ? run(creation(plan, output), context) : clone(plan, source, output, context),
      );
    });
  });
}

interface Keys {
  readonly output: PassphraseArgument | null;
  readonly input: PassphraseArgument | null;
}

interface ImagePlan {
  readonly volume: VolumeDocument;
  readonly backing: Backing | null;
  readonly options: string | null;
  readonly keys: Keys;
}

interface Backing {
  /** As it will stand in the image. */
  readonly path: string;
  readonly isRelative: boolean;
  readonly capacityBytes: bigint;
}

/** A clone has no backing store of its own: it holds everything that its source shows. */
async function clone(
  { volume, options, keys }: ImagePlan,
  source: VolumeDocument,
  output: FileArgument,
  context: VolumeContext,
): Promise<void> {
  const { directory, name } = await openSource(source, context.host);
  await using _directory = directory;
  const input = { in: directory, name };
  if (keys.output === null && keys.input === null) {
    const formats = { inputFormat: imageFormat(source), outputFormat: imageFormat(volume) };
    context.job.way("qemu-img convert");
    await convert(convertImage({ ...formats, options, input, output, pace: paceOf(context.job) }), source, context);
    return;
  }
  await run(creation({ volume, backing: null, options, keys }, output), context);
  const from = { format: keyedFormat(source), passphrase: keys.input, file: input };
  const to = { format: keyedFormat(volume), passphrase: keys.output, file: output };
  context.job.way("qemu-img convert");
  await convert(convertKeyedImage(from, to, paceOf(context.job)), source, context);
}

/** qemu-img limits itself and says how far it is; what it copies is what a guest sees. */
function paceOf({ bandwidthBytesPerSecond }: Job): ConversionPace {
  return { bytesPerSecond: bandwidthBytesPerSecond };
}

async function convert(command: Command, source: VolumeDocument, context: VolumeContext): Promise<void> {
  const totalBytes = source.capacityBytes;
  const output = progressReader((share) => {
    context.job.progress((totalBytes * BigInt(Math.round(share * PARTS))) / BigInt(PARTS), totalBytes);
  });
  await run(command, context, { output });
}

const PARTS = 10_000;

/** What an image takes at once, as far as it is known: for messages. */
function bytesOf(volume: VolumeDocument, preallocates: boolean): bigint {
  return preallocates && volume.allocationBytes >= volume.capacityBytes ? volume.capacityBytes : 0n;
}

function creation({ volume, backing, options, keys }: ImagePlan, output: FileArgument): Command {
  const sizeOfBacking = backing?.isRelative === true ? backing.capacityBytes : null;
  return createImage({
    format: keyedFormat(volume),
    backing: backing?.path ?? null,
    backingIsChecked: backing?.isRelative === true,
    passphrase: keys.output,
    options,
    output,
    capacityBytes: backing !== null && volume.capacityBytes === 0n ? sizeOfBacking : volume.capacityBytes,
  });
}

function optionsOf(
  volume: VolumeDocument,
  source: VolumeDocument | null,
  preallocates: boolean,
  key: PassphraseArgument | null,
): string | null {
  const { target, capacityBytes, backingStore } = volume;
  const allocationBytes = volume.hasAllocation ? volume.allocationBytes : capacityBytes;
  const preallocation = capacityBytes > allocationBytes ? "metadata" : "falloc";
  return imageOptions({
    format: keyedFormat(volume),
    backingFormat: source === null && backingStore !== null ? (backingStore.format ?? "raw") : null,
    encryption:
      key === null || target.encryption === null ? null : { passphraseId: key.id, details: target.encryption },
    preallocation: preallocates ? preallocation : null,
    target,
  });
}

/** qemu's driver: encrypted raw content is a format of its own to it. */
function keyedFormat(volume: VolumeDocument): string {
  const format = imageFormat(volume);
  return format === "raw" && volume.target.encryption !== null ? "luks" : format;
}

/** 38 `inaccessible backing store volume …` where it cannot be read; a relative one is looked for in the pool. */
async function accessibleBacking(
  pool: PoolDocument,
  volume: VolumeDocument,
  { host, job }: VolumeContext,
): Promise<Backing | null> {
  const path = volume.backingStore?.path ?? null;
  if (path === null) return null;
  const isRelative = !path.startsWith("/");
  const whole = isRelative ? `${targetPath(pool)}/${path}` : path;
  const detail = `inaccessible backing store volume ${path}`;
  const options = { signal: job.signal };
  await using file = await failingAs(detail, host.openFile(whole, "read", options));
  if (!isRelative) return { path, isRelative, capacityBytes: 0n };
  const { image, sizeBytes } = await failingAs(detail, contentOf(file, options));
  const isRaw = (volume.backingStore?.format ?? "raw") === "raw";
  return { path, isRelative, capacityBytes: isRaw ? sizeBytes : guestCapacityBytes(image, sizeBytes) };
}

async function withPassphrases(
  volume: VolumeDocument,
  source: VolumeDocument | null,
  context: VolumeContext,
  use: (keys: Keys) => Promise<void>,
): Promise<void> {
  const { encryption } = volume.target;
  const output = encryption === null ? null : await passphraseOf(encryption, context);
  const input = source === null ? null : await passphraseOfSource(source, context);
  const id = passphraseId(volume.name);
  const sourceId = passphraseId(source?.name ?? "");
  // Two volumes of one name in two pools: qemu-img takes no two passphrases of one id.
  const inputId = sourceId === id ? `input_${id}` : sourceId;
  await asFile(context, id, output, (outputKey) =>
    asFile(context, inputId, input, (inputKey) => use({ output: outputKey, input: inputKey })),
  );
}

async function passphraseOfSource(source: VolumeDocument, context: VolumeContext): Promise<Uint8Array | null> {
  const { encryption } = source.target;
  if (encryption === null) return null;
  return passphraseOf(await withSecretOfPath(encryption, pathOf(source), context), context);
}

function asFile(
  { privateDirectory }: VolumeContext,
  id: string,
  passphrase: Uint8Array | null,
  use: (argument: PassphraseArgument | null) => Promise<void>,
): Promise<void> {
  return passphrase === null ? use(null) : withPassphraseFile(privateDirectory, id, passphrase, use);
}

async function run(
  command: Command,
  { host, job }: VolumeContext,
  options: Pick<RunOptions, "output"> = {},
): Promise<void> {
  const text = "creation of non-raw file images is not supported without qemu-img.";
  const whenMissing = LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  await runCommand(host, command, { ...jobOptions(job), ...options, whenMissing });
}
