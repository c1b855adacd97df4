import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { shrinkRefusal } from "../drivers/index.js";

const ALLOCATE = 1;
const DELTA = 2;
const SHRINK = 4;

/** libvirt's public layer checks this before anything else. */
export function refuseZeroCapacity(requestedBytes: bigint, flags: number): void {
  if (requestedBytes === 0n && (flags & (DELTA | SHRINK)) === 0) {
    throw LibvirtError.invalidArgument(
      ErrorDomain.STORAGE,
      "virStorageVolResize",
      "capacity",
      "capacity in virStorageVolResize cannot be zero without 'delta' or 'shrink' flags set",
    );
  }
}

export function mayShrink(flags: number): boolean {
  return (flags & SHRINK) !== 0;
}

export interface ResizePlan {
  readonly capacityBytes: bigint;
  /** The new size is reserved at once. */
  readonly allocates: boolean;
  /** What is left for the driver to know; the capacity is no difference any more. */
  readonly driverFlags: number;
}

/**
 * The capacity that libvirt's flags ask for, or the refusal; `availableBytes` is the pool's. `losesNothing`: behind that capacity
 * the volume has no blocks, however many the file system needs to keep account of those before it, or that is still looked at.
 */
export function resizedCapacity(
  volume: VolumeDocument,
  requestedBytes: bigint,
  flags: number,
  availableBytes: bigint,
  losesNothing = false,
): ResizePlan {
  const capacityBytes = absolute(volume.capacityBytes, requestedBytes, flags);
  if (!losesNothing && isBelowAllocation(volume, capacityBytes)) throw allocationRefusal();
  if (capacityBytes < volume.capacityBytes && !mayShrink(flags)) throw shrinkRefusal();
  const allocates = (flags & ALLOCATE) !== 0;
  if (allocates && capacityBytes - volume.allocationBytes > availableBytes) {
    throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, "Not enough space left in storage pool");
  }
  return { capacityBytes, allocates, driverFlags: flags & ~DELTA };
}

/** What a technology keeps for a volume may be more than what the volume holds (a full ZFS volume): growing is no shrinking. */
export function isBelowAllocation(volume: VolumeDocument, capacityBytes: bigint): boolean {
  return capacityBytes < volume.allocationBytes && capacityBytes < volume.capacityBytes;
}

export function allocationRefusal(): LibvirtError {
  const text = "can't shrink capacity below existing allocation";
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
}

function absolute(currentBytes: bigint, requestedBytes: bigint, flags: number): bigint {
  if ((flags & DELTA) === 0) return requestedBytes;
  if ((flags & SHRINK) === 0) return currentBytes + requestedBytes;
  return requestedBytes > currentBytes ? 0n : currentBytes - requestedBytes;
}
