import { posix } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { File, FileFacts } from "../../host/host.js";
import { SCRUB_PATTERNS, scrub } from "../../tools/scrub.js";
import type { VolumeContext } from "../driver.js";
import { failingAs } from "./failure.js";
import { ploopToolsMissing } from "./ploop.js";
import { runCommand } from "./run-command.js";
import { pathOf } from "./target-directory.js";

const ZERO = 0;
const TRIM = 9;

/** 512 bytes each, whatever the file system's blocks are. */
const STAT_BLOCK_BYTES = 512n;

/** Overwrites the content of an open file or device, by libvirt's number of an algorithm. */
export async function wipeFile(
  file: File,
  volume: VolumeDocument,
  algorithm: number,
  { host, job }: VolumeContext,
): Promise<void> {
  if (algorithm === ZERO) {
    await wipeWithZeros(file, volume, job);
    return;
  }
  const pattern = SCRUB_PATTERNS[algorithm] ?? null;
  if (pattern === null) throw algorithmUnsupported(algorithm);
  await runCommand(host, scrub(pattern, file, posix.basename(pathOf(volume))), { signal: job.signal });
}

/** What has to be said before the volume is opened. */
export function checkWipe(volume: VolumeDocument, algorithm: number): void {
  if (volume.type === "ploop") throw ploopToolsMissing();
  if (algorithm === TRIM) throw algorithmUnsupported(algorithm);
}

function algorithmUnsupported(algorithm: number): LibvirtError {
  if (algorithm === TRIM) {
    const text = "'trim' algorithm not supported";
    return LibvirtError.of(ErrorCode.ARGUMENT_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `unsupported algorithm ${algorithm}`);
}

/** A file with holes is emptied and made as long as before: writing zeros would fill the holes. */
async function wipeWithZeros(file: File, volume: VolumeDocument, job: VolumeContext["job"]): Promise<void> {
  const path = pathOf(volume);
  const { signal } = job;
  const facts = await failingAs(`Failed to stat storage volume with path '${path}'`, file.facts({ signal }));
  if (isSparse(facts)) {
    const shortened = file.truncate(0n, { signal });
    await failingAs(`Failed to truncate volume with path '${path}' to 0 bytes`, shortened);
    const lengthened = file.truncate(facts.sizeBytes, { signal });
    await failingAs(`Failed to truncate volume with path '${path}' to ${facts.sizeBytes} bytes`, lengthened);
    return;
  }
  const sizeBytes = await failingAs(`Failed to stat storage volume with path '${path}'`, file.sizeBytes({ signal }));
  const wipedBytes = facts.kind === "file" ? larger(sizeBytes, volume.allocationBytes) : sizeBytes;
  const progress = (doneBytes: bigint, totalBytes: bigint): void => job.progress(doneBytes, totalBytes);
  const written = file.overwriteWithZeros(0n, wipedBytes, { signal, progress });
  await failingAs(`Failed to write ${wipedBytes} bytes to storage volume with path '${path}'`, written);
  await failingAs(`cannot sync data to volume with path '${path}'`, file.sync({ signal }));
}

/**
 * libvirt wipes the blocks that the volume was last seen to have, and so lengthens a file to whole blocks. What the file
 * has got since is wiped as well: a wipe that leaves something is none.
 */
function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function isSparse({ kind, allocatedBytes, sizeBytes }: FileFacts): boolean {
  return kind === "file" && allocatedBytes / STAT_BLOCK_BYTES < sizeBytes / STAT_BLOCK_BYTES;
}
