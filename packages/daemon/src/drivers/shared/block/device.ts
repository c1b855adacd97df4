import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../../cancel-signal.js";
import type { File, FileAccess, Host } from "../../../host/host.js";
import { failingAs, isErrno } from "../failure.js";
import { permissionsOf, timestampsOf } from "../volume-document.js";
import { settle } from "./settle.js";

/**
 * Opens a device by its path, which an administrator's document or the kernel gave. Anything but a block device is refused. One
 * that is not there is waited for until udev is done: a table that is read anew takes its partitions away for a moment.
 */
export async function openDevice(
  host: Host,
  path: string,
  access: FileAccess,
  { detail = `cannot open device '${path}'`, domain = ErrorDomain.STORAGE, signal }: OpenDeviceOptions = {},
): Promise<File> {
  const options = signal === undefined ? {} : { signal };
  const opened = host.openFile(path, access, options).catch(async (thrown: unknown) => {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    await settle(host, signal);
    return host.openFile(path, access, options);
  });
  const file = await failingAs(detail, opened, domain);
  try {
    const { kind } = await failingAs(detail, file.facts(options), domain);
    if (kind === "block") return file;
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, domain, `${detail}: it is not a block device`);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

export interface OpenDeviceOptions {
  /** What was being done, for the message. */
  readonly detail?: string;
  readonly domain?: ErrorDomain;
  readonly signal?: CancelSignal;
}

/** A volume that is a device: its size, its node's times and who may use it, as they are now. */
export async function withDeviceFacts(
  volume: VolumeDocument,
  host: Host,
  signal?: CancelSignal,
): Promise<VolumeDocument> {
  const options = signal === undefined ? {} : { signal };
  const path = volume.target.path ?? volume.name;
  await using device = await openDevice(host, path, "read", { ...options, detail: `cannot open volume '${path}'` });
  const detail = `cannot stat file '${path}'`;
  const sizeBytes = await failingAs(detail, device.sizeBytes(options));
  const facts = await failingAs(detail, device.facts(options));
  return {
    ...volume,
    type: "block",
    capacityBytes: sizeBytes,
    allocationBytes: sizeBytes,
    physicalBytes: sizeBytes,
    target: { ...volume.target, permissions: permissionsOf(facts), timestamps: timestampsOf(facts) },
  };
}
