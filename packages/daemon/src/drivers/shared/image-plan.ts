import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import { type Command, type File, type FileKind, HostError } from "../../host/host.js";
import { guestCapacityBytes } from "../../images/probe.js";
import { plainCapacityBytes } from "../../images/qcow2-soundness.js";
import { PROBE_BYTES } from "../../images/reading-plan.js";
import { createImage, type FileArgument, type PassphraseArgument } from "../../tools/qemu-img.js";
import { checkBacking, checkEncryption, checkFormat, imageFormat } from "../../tools/qemu-img-checks.js";
import { imageOptions } from "../../tools/qemu-img-options.js";
import type { VolumeContext } from "../driver.js";
import { refuseEndlessChain } from "./endless-chain.js";
import { failingAs } from "./failure.js";
import { contentOf } from "./file-content.js";
import { targetPath } from "./target-directory.js";

export interface Keys {
  readonly output: PassphraseArgument | null;
  readonly input: PassphraseArgument | null;
}

/** A new image after everything was checked that libvirt checks before it calls qemu-img. */
export interface ImagePlan {
  readonly volume: VolumeDocument;
  readonly backing: Backing | null;
  readonly preallocation: "metadata" | "falloc" | null;
  /** qemu-img's, null: none. */
  readonly options: string | null;
  readonly keys: Keys;
}

export interface Backing {
  /** As it will stand in the image. */
  readonly path: string;
  readonly format: string;
  readonly isRelative: boolean;
  /** What a guest sees of it; null: only qemu-img can tell, or whether it is an image at all. */
  readonly capacityBytes: bigint | null;
}

export async function planImage(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: VolumeDocument | null,
  preallocates: boolean,
  keys: Keys,
  context: VolumeContext,
): Promise<ImagePlan> {
  checkFormat(volume, preallocates);
  checkBacking(volume, source, preallocates);
  const backing = await accessibleBacking(pool, volume, context);
  checkEncryption(volume);
  // Only of such a one qemu-img opens what it rests on; a clone has none.
  if (source === null && backing !== null && !backing.isRelative && backing.capacityBytes === null) {
    await refuseEndlessChain({ ...backing, followsSymlink: true }, context.host, context.job.signal);
  }
  const preallocation = preallocates ? preallocationOf(volume) : null;
  return { volume, backing, preallocation, options: optionsOf(volume, source, preallocation, keys.output), keys };
}

/** qemu-img's command line, as libvirt gives it, for an image without a source. */
export function creationOf({ volume, backing, options, keys }: ImagePlan, output: FileArgument): Command {
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

/** qemu's driver: encrypted raw content is a format of its own to it. */
export function keyedFormat(volume: VolumeDocument): string {
  const format = imageFormat(volume);
  return format === "raw" && volume.target.encryption !== null ? "luks" : format;
}

function preallocationOf({ capacityBytes, allocationBytes, hasAllocation }: VolumeDocument): "metadata" | "falloc" {
  return capacityBytes > (hasAllocation ? allocationBytes : capacityBytes) ? "metadata" : "falloc";
}

function optionsOf(
  volume: VolumeDocument,
  source: VolumeDocument | null,
  preallocation: ImagePlan["preallocation"],
  key: PassphraseArgument | null,
): string | null {
  const { target, backingStore } = volume;
  return imageOptions({
    format: keyedFormat(volume),
    backingFormat: source === null && backingStore !== null ? (backingStore.format ?? "raw") : null,
    encryption:
      key === null || target.encryption === null ? null : { passphraseId: key.id, details: target.encryption },
    preallocation,
    target,
  });
}

const EINVAL = 22;

/** A directory is refused as well, in the words of whoever reads it. */
const HAS_CONTENT: ReadonlySet<FileKind> = new Set(["file", "block", "directory"]);
/** makedev(1, 3). libvirt's own documents name it, where it does not matter what an overlay lies on. */
const DEV_NULL = 0x103n;

/**
 * 38 `inaccessible backing store volume …` where it cannot be read or is no storage; a relative one is looked for in the
 * pool.
 */
async function accessibleBacking(
  pool: PoolDocument,
  volume: VolumeDocument,
  { host, job }: VolumeContext,
): Promise<Backing | null> {
  const path = volume.backingStore?.path ?? null;
  if (path === null) return null;
  const format = volume.backingStore?.format ?? "raw";
  const isRelative = !path.startsWith("/");
  const whole = isRelative ? `${targetPath(pool)}/${path}` : path;
  const detail = `inaccessible backing store volume ${path}`;
  const { kind, deviceNumber } = await failingAs(detail, host.facts(whole, { signal: job.signal }));
  // To open a FIFO takes away what somebody writes to it, and qemu-img would wait for ever; of some devices it has effects.
  const isNull = kind === "character" && deviceNumber === DEV_NULL;
  if (!HAS_CONTENT.has(kind) && !isNull) throw LibvirtError.system(ErrorDomain.STORAGE, EINVAL, detail);
  await using file = await failingAs(detail, host.openFile(whole, "read", { signal: job.signal }));
  const capacityBytes = isRelative
    ? await failingAs(detail, capacityAsLibvirtSees(file, format, job.signal))
    : await capacityAsQemuSees(file, format, job.signal);
  return { path, format, isRelative, capacityBytes };
}

async function capacityAsLibvirtSees(file: File, format: string, signal: CancelSignal): Promise<bigint> {
  const { image, sizeBytes } = await contentOf(file, { signal });
  return format === "raw" ? sizeBytes : guestCapacityBytes(image, sizeBytes);
}

/** qemu-img opens a backing file with an absolute path, and refuses it where it is not what it is said to be. */
async function capacityAsQemuSees(file: File, format: string, signal: CancelSignal): Promise<bigint | null> {
  try {
    const { kind } = await file.facts({ signal });
    if (kind !== "file" && kind !== "block") return null;
    if (format === "raw") return await file.sizeBytes({ signal });
    if (format !== "qcow2") return null;
    return plainCapacityBytes(await file.read(0n, PROBE_BYTES, { signal }));
  } catch (thrown) {
    // Anything that goes wrong in this look is for qemu-img to find, and to say.
    if (thrown instanceof HostError && thrown.code !== "ECANCELED") return null;
    throw LibvirtError.from(thrown);
  }
}
