import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { type Directory, HostError } from "../../host/host.js";
import { JournalFailure } from "../../jobs/job.js";
import type { VolumeContext } from "../driver.js";

const ENOSPC = 28;
/** A program that fails with less room than this fails for lack of it. */
const NO_ROOM_BYTES = 1_048_576n;
/** What is needed for an entry of a directory at least. */
export const ENTRY_BYTES = 4_096n;
/** File systems keep no more than this of what they call free. */
const MOST_KEPT_BYTES = 268_435_456n;
const NO_SPACE = "No space left on device";

export interface RoomRequest {
  /** On whose file system. */
  readonly directory: Directory;
  /** What it needs in all. */
  readonly bytes: bigint;
  /** Where that is a guess: what it cannot begin without. Only this is looked for before, and held against others. */
  readonly leastBytes?: bigint;
  /** What is being done, for the refusal. */
  readonly detail: string;
}

/**
 * Sees that there is room for what `work` will write, counting what others are about to write on the same file system: of
 * two that together want more than there is, the second is refused before it begins. `work` says how much of it is written
 * by now. A lack of space, found out before or while it works, is told with the bytes needed and free.
 */
export async function withRoom<T>(
  { directory, bytes, leastBytes = bytes, detail }: RoomRequest,
  { expectedSpace }: VolumeContext,
  work: (taken: (bytes: bigint) => void) => Promise<T>,
): Promise<T> {
  const fileSystem = await directory.fileSystem();
  const expectedBefore = expectedSpace.of(fileSystem);
  const usableBytes = await usableBytesOf(directory, bytes + expectedBefore);
  const expectedNow = expectedSpace.of(fileSystem);
  // What another one has written while this looked may not have been seen: rather twice than not at all.
  const leftBytes = usableBytes - (expectedBefore > expectedNow ? expectedBefore : expectedNow);
  if (leastBytes > leftBytes) throw noRoom(detail, bytes, leftBytes);
  let pendingBytes = 0n;
  const expect = (expectedBytes: bigint): void => {
    expectedSpace.change(fileSystem, expectedBytes - pendingBytes);
    pendingBytes = expectedBytes;
  };
  expect(leastBytes);
  try {
    return await work((takenBytes) => expect(takenBytes < leastBytes ? leastBytes - takenBytes : 0n));
  } catch (thrown) {
    // It may have begun with too little, because nobody knew: that is why, and not what it has left of that.
    const knownBytes = bytes > leftBytes ? leftBytes : null;
    throw await toldOfRoom(thrown, { directory, bytes, detail }, { mayDieOfIt: true, knownBytes });
  } finally {
    expect(0n);
  }
}

/** Adds to a lack of space how much is needed and free; whatever else goes wrong passes as it is. */
export async function tellingRoom<T>(request: Omit<RoomRequest, "leastBytes">, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw await toldOfRoom(thrown, request, { mayDieOfIt: false, knownBytes: null });
  }
}

/** The same of work that takes what there is before it fails: how much that was is looked at before. */
export async function tellingRoomBefore<T>(
  request: Omit<RoomRequest, "leastBytes">,
  work: () => Promise<T>,
): Promise<T> {
  const { directory, bytes } = request;
  const usableBytes = await usableBytesOf(directory, bytes).catch(() => bytes);
  try {
    return await work();
  } catch (thrown) {
    const knownBytes = bytes > usableBytes ? usableBytes : null;
    throw await toldOfRoom(thrown, request, { mayDieOfIt: false, knownBytes });
  }
}

/** What may be filled; to be exact only where `wantedBytes` are not much less. */
export async function usableBytesOf(directory: Directory, wantedBytes = 0n): Promise<bigint> {
  const { usableBytes } = await directory.space();
  if (usableBytes - wantedBytes >= MOST_KEPT_BYTES) return usableBytes;
  const leftBytes = usableBytes - (await directory.keptBytes());
  return leftBytes < 0n ? 0n : leftBytes;
}

interface Circumstances {
  /** A program that failed where next to nothing is free failed for that, whatever it says. */
  readonly mayDieOfIt: boolean;
  /** What was free before, if it was too little; null: what is free now. */
  readonly knownBytes: bigint | null;
}

async function toldOfRoom(
  thrown: unknown,
  { directory, bytes, detail }: Omit<RoomRequest, "leastBytes">,
  { mayDieOfIt, knownBytes }: Circumstances,
): Promise<unknown> {
  const saidSo = isLackOfSpace(thrown);
  const isProgram = thrown instanceof LibvirtError && thrown.code === ErrorCode.INTERNAL_ERROR;
  if (!saidSo && !(isProgram && mayDieOfIt)) return thrown;
  const usableBytes = await usableBytesOf(directory, bytes).catch(() => (saidSo ? 0n : bytes));
  const freeBytes = knownBytes ?? usableBytes;
  const lacksInode = freeBytes >= bytes && (await hasNoInode(directory));
  if (!isProgram) return noRoom(detail, bytes, freeBytes, { cause: thrown, lacksInode });
  // A program said it, in its own words, or died over it without a word.
  if (!saidSo && usableBytes >= NO_ROOM_BYTES) return thrown;
  const why = thrown.message.includes(NO_SPACE) ? "" : `: ${NO_SPACE}`;
  const text = `${thrown.str2 ?? thrown.message}${why} ${counted(bytes, freeBytes, lacksInode)}`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, text, { cause: thrown });
}

function isLackOfSpace(thrown: unknown): boolean {
  // Of another disk.
  if (thrown instanceof JournalFailure) return false;
  if (thrown instanceof HostError) return thrown.errno === ENOSPC;
  return thrown instanceof LibvirtError && (thrown.int1 === ENOSPC || thrown.message.includes(NO_SPACE));
}

async function hasNoInode(directory: Directory): Promise<boolean> {
  return await directory.space().then(
    ({ freeInodes }) => freeInodes === 0n,
    () => false,
  );
}

function noRoom(
  detail: string,
  neededBytes: bigint,
  freeBytes: bigint,
  { cause, lacksInode = false }: { readonly cause?: unknown; readonly lacksInode?: boolean } = {},
): LibvirtError {
  const text = `${detail} ${counted(neededBytes, freeBytes, lacksInode)}`;
  return LibvirtError.system(ErrorDomain.STORAGE, ENOSPC, text, cause === undefined ? {} : { cause });
}

function counted(neededBytes: bigint, freeBytes: bigint, lacksInode: boolean): string {
  const free = freeBytes < 0n ? 0n : freeBytes;
  if (lacksInode) return `(${neededBytes} bytes and an inode needed, ${free} bytes and no inode free)`;
  return `(${neededBytes} bytes needed, ${free} bytes free)`;
}
