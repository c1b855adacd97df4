import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import { isPlainRaw } from "../../tools/qemu-img-checks.js";
import { failingAs } from "./failure.js";
import { openTargetRaw, pathOf } from "./target-directory.js";

/**
 * Whether a volume has blocks at or behind `offsetBytes`, written or only reserved. In an image they may hold anything, and
 * not every file system tells: then it has.
 */
export async function hasBlocksBehind(
  pool: PoolDocument,
  volume: VolumeDocument,
  offsetBytes: bigint,
  host: Host,
): Promise<boolean> {
  if (!isPlainRaw(volume)) return true;
  const detail = `Unable to open '${pathOf(volume)}'`;
  await using directory = await failingAs(detail, openTargetRaw(pool, host), ErrorDomain.NONE);
  await using file = await failingAs(detail, directory.open(volume.name, { access: "read" }), ErrorDomain.NONE);
  const blocks = await file.blocksFrom(offsetBytes);
  if (blocks === null) return true;
  // What the file system reserves behind the end for a file that grows is nothing of the volume's.
  const sizeBytes = await file.sizeBytes();
  return blocks.some(({ startBytes }) => startBytes < sizeBytes);
}
