import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import type { FileFacts } from "../../host/host.js";
import { identityOf } from "../../host/index.js";
import type { EmptyQcow2 } from "../../images/qcow2-writer.js";
import type { FoundVolume, VolumeContext } from "../driver.js";
import { emptyQcow2Of } from "./create-qcow2.js";
import { refuseExisting } from "./existing-entry.js";
import { failingAs } from "./failure.js";
import { planImage } from "./image-plan.js";
import { makeWholeFile, type WholeFilePlan } from "./new-file.js";
import { asImage, asPlainFile } from "./refresh-file.js";
import { ENTRY_BYTES, tellingRoom } from "./room.js";
import { openTargetLazily, pathOf } from "./target-directory.js";

/** An image whose tables are longer is written step by step. */
const LONGEST_CONTENT_BYTES = 1_048_576n;

interface SmallVolume extends WholeFilePlan {
  readonly found: (facts: FileFacts) => VolumeDocument;
}

/**
 * New volumes without content, which most are: an empty raw file, a qcow2 that is little more than a header. They are made in
 * one trip to the storage. null: it is none of these, or its file system does not know how; nothing was done then, and what is
 * wrong with it, if anything, is for the long way to say.
 */
export async function fillAtOnce(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<FoundVolume | null> {
  if (volume.type !== "file" || volume.target.noCopyOnWrite) return null;
  if (volume.backingStore !== null || volume.target.encryption !== null) return null;
  const small = isEmptyRaw(volume) ? emptyRaw(volume) : await emptyImage(pool, volume, context);
  if (small === null) return null;
  try {
    const detail = `Failed to create file '${pathOf(volume)}'`;
    await using directory = await failingAs(detail, openTargetLazily(pool, context.host));
    const request = { directory, bytes: bytesOf(small), detail: `cannot create image '${pathOf(volume)}'` };
    const facts = await tellingRoom(request, () => makeWholeFile(directory, volume, context, small));
    return facts === null ? null : { document: small.found(facts), evidence: null, identity: identityOf(facts) };
  } catch (thrown) {
    // That the name is taken is said before anything else.
    await refuseExisting(pool, volume, context);
    throw thrown;
  }
}

function isEmptyRaw({ target, hasAllocation, allocationBytes, capacityBytes }: VolumeDocument): boolean {
  return (target.format ?? "raw") === "raw" && (hasAllocation ? allocationBytes : capacityBytes) === 0n;
}

function emptyRaw(volume: VolumeDocument): SmallVolume {
  return { sizeBytes: volume.capacityBytes, content: [], found: (facts) => asPlainFile(volume, facts) };
}

async function emptyImage(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<SmallVolume | null> {
  if (volume.target.format !== "qcow2") return null;
  const image = await emptyQcow2For(pool, volume, context);
  if (image === null || image.reserved.length > 0 || image.writtenBytes > LONGEST_CONTENT_BYTES) return null;
  return {
    sizeBytes: image.sizeBytes,
    content: [...image.segments],
    found: (facts) => asImage(volume, facts, image.capacityBytes),
  };
}

async function emptyQcow2For(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<EmptyQcow2 | null> {
  try {
    return emptyQcow2Of(await planImage(pool, volume, null, false, { output: null, input: null }, context));
  } catch {
    // A document that is refused; the long way first looks whether the name is free.
    return null;
  }
}

function bytesOf({ content }: SmallVolume): bigint {
  return ENTRY_BYTES + BigInt(content.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0));
}
