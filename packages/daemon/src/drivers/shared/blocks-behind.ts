import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import { isPlainRaw } from "../../tools/qemu-img-checks.js";
import type { VolumeContext } from "../driver.js";
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
  { host, job, followsSymlink = false }: VolumeContext,
): Promise<boolean> {
  if (!isPlainRaw(volume)) return true;
  const { signal } = job;
  const detail = `Unable to open '${pathOf(volume)}'`;
  await using directory = await failingAs(detail, openTargetRaw(pool, host), ErrorDomain.NONE);
  const opened = directory.open(volume.name, { access: "read", follow: followsSymlink }, { signal });
  await using file = await failingAs(detail, opened, ErrorDomain.NONE);
  // What is not on the disk yet is written out first, which may take long.
  const blocks = await failingAs(detail, file.blocksFrom(offsetBytes, { signal }), ErrorDomain.NONE);
  if (blocks === null) return true;
  // What the file system reserves behind the end for a file that grows is nothing of the volume's.
  const sizeBytes = await file.sizeBytes({ signal });
  return blocks.some(({ startBytes }) => startBytes < sizeBytes);
}
