import { posix } from "node:path";
import type { VolumeDocument, VolumeTarget } from "@cistern/documents";
import { anyOf } from "../../cancel-signal.js";
import type { CallOptions, Host } from "../../host/host.js";
import { type BackingLocation, backingLocation } from "../../images/backing.js";
import { type ImageBacking, isNamedFormat } from "../../images/image-facts.js";
import { linkTarget } from "../../images/link-target.js";
import { limits } from "../../limits.js";
import { failure, isErrno } from "./failure.js";
import { contentOf } from "./file-content.js";
import { permissionsOf, plainTarget, timestampsOf } from "./volume-document.js";

/**
 * Where a volume's backing store is on this machine; null: it has none, or one of another machine. The document has it in
 * the image's words where libvirt shows those: relative as it was created, `file:/images/base` whenever.
 */
export function backingPathOf({ target, backingStore }: VolumeDocument): string | null {
  const name = backingStore?.path ?? null;
  // Most are absolute, and all overlays are asked at each deletion.
  if (name === null || name.startsWith("/")) return name;
  if (target.path === null) return null;
  return localPathOf(name, posix.dirname(target.path));
}

/** Where the name of a file that an image rests on leads on this machine; null: elsewhere, or nowhere. */
export function localPathOf(name: string, imageDirectory: string): string | null {
  const leads = linkTarget(name, imageDirectory);
  return leads.kind === "path" ? leads.path : null;
}

/** What can be said of a backing store from the image alone. */
export interface BackingDescription {
  readonly target: VolumeTarget;
  /** The image does not say what its backing file holds: the file itself has to be looked at. */
  readonly formatIsUnknown: boolean;
}

export function describeBacking(backing: ImageBacking, imageDirectory: string): BackingDescription {
  const location = backingLocation(backing.string, imageDirectory);
  const format = declaredFormat(backing, location);
  return { target: plainTarget(location.path, format ?? "raw"), formatIsUnknown: format === null };
}

function declaredFormat(backing: ImageBacking, location: BackingLocation): string | null {
  // Of another machine's storage nothing is known: libvirt shows raw.
  if (!location.isLocal) return "raw";
  // "none" is what an image may say, and libvirt shows.
  if (backing.format !== null && (isNamedFormat(backing.format) || backing.format === "none")) return backing.format;
  return location.format;
}

/** A backing file as it is: whose it is, its times, and its format. */
export type BackingFile = Pick<VolumeTarget, "permissions" | "timestamps" | "format">;

/** null: it is not on this machine, gone, not permitted, or something that is no storage (and would hang, as a FIFO). */
export async function readBackingFile(path: string, host: Host, options?: CallOptions): Promise<BackingFile | null> {
  try {
    return await openBackingFile(path, host, options);
  } catch {
    // An overlay without its backing file is still a volume: it must not take the pool down.
    return null;
  }
}

async function openBackingFile(path: string, host: Host, options?: CallOptions): Promise<BackingFile | null> {
  if (!path.startsWith("/")) return null;
  const { kind } = await host.facts(path, options);
  // libvirt tells that it is one, and no more.
  if (kind === "directory") return plainTarget(path, "dir");
  if (kind !== "file" && kind !== "block") return null;
  await using file = await host.openFile(path, "read", options);
  const { facts, image } = await contentOf(file, options);
  return { permissions: permissionsOf(facts), timestamps: timestampsOf(facts), format: image.format };
}

/** The backing files of a scan, each looked at once, however many overlays it has. */
export class BackingFiles {
  readonly #host: Host;
  readonly #options: CallOptions;
  readonly #byPath = new Map<string, BackingFile | null>();

  constructor(host: Host, options: CallOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** A volume that the same scan found. */
  seen(target: VolumeTarget): void {
    const isFile = target.format !== "dir" && target.format !== "ploop";
    if (isFile && target.path !== null) this.#byPath.set(target.path, target);
  }

  /** Looks at those that were not seen. Whatever does not answer in time stays unknown. */
  async open(paths: Iterable<string>): Promise<void> {
    const timeout = AbortSignal.timeout(limits.backingFilesMs);
    const { signal } = this.#options;
    using either = anyOf(timeout, ...(signal === undefined ? [] : [signal]));
    const options = { ...this.#options, signal: either.signal };
    const missing = [...new Set(paths)].filter((path) => !this.#byPath.has(path)).values();
    const openNext = async (): Promise<void> => {
      for (const path of missing) this.#byPath.set(path, await readBackingFile(path, this.#host, options));
    };
    await Promise.all(Array.from({ length: limits.backingFilesAtOnce }, openNext));
  }

  get(path: string): BackingFile | null {
    return this.#byPath.get(path) ?? null;
  }
}

/** The backing store's owner and times, as far as they are known; its format where the image does not say. */
export function withBackingFile(
  target: VolumeTarget,
  file: BackingFile | null,
  formatIsUnknown: boolean,
): VolumeTarget {
  if (file === null) return target;
  const { permissions, timestamps } = file;
  return { ...target, permissions, timestamps, format: formatIsUnknown ? file.format : target.format };
}

/**
 * The volume with its backing store looked at again; what cannot be opened stays as the document has it. A path that no
 * file can have (a name too long, a file for a directory) is an error, though: 38/18 `cannot stat file '…'`.
 */
export async function refreshBacking(volume: VolumeDocument, host: Host): Promise<VolumeDocument> {
  const { backingStore } = volume;
  if (backingStore === null || backingStore.path === null) return volume;
  const { path } = backingStore;
  const file = await openBackingFile(path, host).catch((thrown: unknown) => {
    if (isErrno(thrown, "ENOTDIR", "ENAMETOOLONG")) throw failure(thrown, `cannot stat file '${path}'`);
    return null;
  });
  return { ...volume, backingStore: withBackingFile(backingStore, file, false) };
}
