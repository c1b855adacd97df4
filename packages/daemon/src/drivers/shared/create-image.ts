import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Command, Directory, File } from "../../host/host.js";
import {
  convertImage,
  convertKeyedImage,
  type FileArgument,
  type OpenFile,
  type PassphraseArgument,
  passphraseId,
} from "../../tools/qemu-img.js";
import { imageFormat } from "../../tools/qemu-img-checks.js";
import type { VolumeContext } from "../driver.js";
import { openSource } from "./clone-source.js";
import { emptyQcow2Of, writeEmptyQcow2 } from "./create-qcow2.js";
import { failingAs } from "./failure.js";
import { PREALLOCATE_METADATA } from "./fill-flags.js";
import { creationOf, type ImagePlan, type Keys, keyedFormat, planImage } from "./image-plan.js";
import { DEFAULT_VOLUME_MODE, giveTo, withNewFile } from "./new-file.js";
import { passphraseOf, withPassphraseFile, withSecretOfPath } from "./passphrase-file.js";
import { runCommand } from "./run-command.js";
import { pathOf } from "./target-directory.js";

/**
 * Makes an image; its content is that of `source`, if there is one, whatever format that has. An empty qcow2 is written
 * here, everything else by qemu-img.
 */
export async function createImageFile(
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
    const plan = await planImage(pool, volume, source, preallocates, keys, context);
    await withNewFile(directory, volume.name, DEFAULT_VOLUME_MODE, async (file) => {
      const output = { file, name: volume.name };
      if (source === null) await create(plan, output, context);
      else await clone(plan, source, output, context);
      await settle(file, volume);
    });
  });
}

async function create(plan: ImagePlan, output: OpenFile, context: VolumeContext): Promise<void> {
  const empty = emptyQcow2Of(plan);
  if (empty === null) {
    await run(creationOf(plan, output), context);
    return;
  }
  if (plan.volume.target.noCopyOnWrite) {
    await output.file.setNoCopyOnWrite(true).catch(() => {
      // Few file systems have it, and to qemu-img it is no more than a wish either.
    });
  }
  await writeEmptyQcow2(empty, output.file, context.job);
}

/** A clone has no backing store of its own: it holds everything that its source shows. */
async function clone(
  plan: ImagePlan,
  source: VolumeDocument,
  output: FileArgument,
  context: VolumeContext,
): Promise<void> {
  const { volume, options, keys } = plan;
  const { directory, name } = await openSource(source, context.host);
  await using _directory = directory;
  const input = { in: directory, name };
  if (keys.output === null && keys.input === null) {
    const formats = { inputFormat: imageFormat(source), outputFormat: imageFormat(volume) };
    await run(convertImage({ ...formats, options, input, output }), context);
    return;
  }
  await run(creationOf({ ...plan, backing: null }, output), context);
  const from = { format: keyedFormat(source), passphrase: keys.input, file: input };
  const to = { format: keyedFormat(volume), passphrase: keys.output, file: output };
  await run(convertKeyedImage(from, to), context);
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

async function run(command: Command, { host, job }: VolumeContext): Promise<void> {
  const text = "creation of non-raw file images is not supported without qemu-img.";
  const whenMissing = LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  await runCommand(host, command, { signal: job.signal, whenMissing });
}

/** The image gets its owner and mode when it is complete. */
async function settle(file: File, { target }: VolumeDocument): Promise<void> {
  await giveTo(file, target.permissions);
  const mode = target.permissions.mode ?? DEFAULT_VOLUME_MODE;
  const shown = mode.toString(8).padStart(4, "0");
  await failingAs(`cannot set mode of '${file.path}' to ${shown}`, file.changeMode(mode));
}
