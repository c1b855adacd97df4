import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import type { UnitTrace } from "../../jobs/job.js";
import {
  createLogicalVolume,
  type NewLogicalVolume,
  renameLogicalVolume,
  tryCreateLogicalVolume,
  withoutTestNotes,
} from "../../tools/lvm.js";
import type { CloneSource, FoundVolume, VolumeContext } from "../driver.js";
import { openDevice } from "../shared/block/device.js";
import { fillDevice } from "../shared/block/fill-device.js";
import { settle } from "../shared/block/settle.js";
import { failingAs, throwIfCalledOff } from "../shared/failure.js";
import { DEFAULT_VOLUME_MODE, giveTo, shownMode } from "../shared/new-file.js";
import { commandFailure, commandResult, runCommand } from "../shared/run-command.js";
import { pathOf, volumePath } from "../shared/target-directory.js";
import { dropVolume } from "./remove-volume.js";
import { documentOf } from "./scan-group.js";
import { isTemporaryVolumeName, temporaryVolumeName } from "./temporary-volume.js";
import { groupOf, logicalVolumes } from "./volume-group.js";

/** Of encrypted content: what LUKS writes before it. */
const LUKS_HEADER_BYTES = 2_097_152n;

/** Names a volume. LVM is asked whether it would make it: what is wrong with its name or size is known here already. */
export async function allocateVolume(
  pool: PoolDocument,
  wanted: VolumeDocument,
  { host }: VolumeContext,
): Promise<VolumeDocument> {
  const { name } = wanted;
  const { encryption } = wanted.target;
  if (encryption !== null && encryption.format !== "luks") {
    const text = "storage pool only supports LUKS encrypted volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  // LVM would take what stands before it for the group's name.
  if (name.includes("/")) throw invalid(`volume name '${name}' cannot contain '/'`);
  if (isTemporaryVolumeName(name)) throw invalid(`volume name '${name}' is one of volumes that are being made`);
  const volume = plan(pool, wanted, name);
  const result = await commandResult(host, tryCreateLogicalVolume(volume));
  if (result.exitStatus !== 0) throw commandFailure({ ...result, stderr: withoutTestNotes(result.stderr) });
  const path = volumePath(pool, name);
  // Its key is the identifier that LVM will give it.
  return { ...wanted, type: "block", key: path, target: { ...wanted.target, path, format: null } };
}

function invalid(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

function plan(pool: PoolDocument, volume: VolumeDocument, name: string): NewLogicalVolume {
  const furtherBytes = volume.target.encryption === null ? 0n : LUKS_HEADER_BYTES;
  return {
    name,
    group: groupOf(pool),
    capacityBytes: volume.capacityBytes + furtherBytes,
    allocationBytes: volume.allocationBytes + furtherBytes,
    originPath: originOf(pool, volume),
  };
}

/** A snapshot's origin is in the pool; LVM takes others too, and options, where a path is expected. */
function originOf(pool: PoolDocument, { backingStore }: VolumeDocument): string | null {
  if (backingStore === null) return null;
  const path = backingStore.path ?? "";
  const within = volumePath(pool, "");
  if (path.startsWith(within) && path.length > within.length && !path.slice(within.length).includes("/")) return path;
  const text = `the backing store '${path}' is no volume of volume group '${groupOf(pool)}'`;
  throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}

/**
 * Makes a volume: under a temporary name, which is in the journal before it is in the group, with owner, mode and content;
 * its own name comes last, and replaces nothing. LVM's commands are waited for even when the job is given up: they are
 * short, and one that is killed in the middle may leave devices suspended.
 */
export async function fillVolume(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FoundVolume> {
  const { host, job } = context;
  const group = groupOf(pool);
  const detail = `creation of volume '${pathOf(volume)}' was given up`;
  throwIfCalledOff(job.signal, detail);
  const temporary = temporaryVolumeName();
  const made = plan(pool, volume, temporary);
  const recorded = await job.record({
    kind: "unit",
    poolType: pool.type,
    place: group,
    name: temporary,
    identity: temporary,
  });
  /** What it is called now. */
  let name = temporary;
  let isLeft = false;
  try {
    await runCommand(host, createLogicalVolume(made));
    await settle(host);
    const devicePath = volumePath(pool, temporary);
    await setPermissions(devicePath, volume, host);
    const showsZeros = made.originPath === null && made.allocationBytes !== made.capacityBytes;
    await fillDevice(pool, volume, devicePath, source, flags, context, { showsZeros });
    throwIfCalledOff(job.signal, detail);
    await runCommand(host, renameLogicalVolume(group, temporary, volume.name));
    name = volume.name;
    await settle(host);
    const found = (await logicalVolumes(group, host)).find((each) => each.name === name);
    const document = found === undefined ? null : await documentOf(pool, found, host);
    if (document === null) throw invalid(`volume '${pathOf(volume)}' was removed or deactivated by somebody else`);
    return {
      document: { ...document, target: { ...document.target, encryption: volume.target.encryption } },
      evidence: null,
    };
  } catch (thrown) {
    isLeft = !(await dropVolume(volumePath(pool, name), host));
    throw thrown;
  } finally {
    // What could not be removed is left to the next daemon.
    if (!isLeft || name !== temporary) await recorded.release();
  }
}

async function setPermissions(devicePath: string, volume: VolumeDocument, host: Host): Promise<void> {
  const { permissions } = volume.target;
  const mode = permissions.mode ?? DEFAULT_VOLUME_MODE;
  const path = pathOf(volume);
  await using device = await openDevice(host, devicePath, "read", { detail: `cannot open volume '${path}'` });
  await giveTo({ path, changeOwner: (owner, groupId) => device.changeOwner(owner, groupId) }, permissions);
  await failingAs(`cannot set mode of '${path}' to ${shownMode(mode)}`, device.changeMode(mode));
}

/** Removes what a daemon that died was making. It has its temporary name still, or is complete. */
export async function undoVolume({ place, name }: UnitTrace, host: Host): Promise<string> {
  if (!isTemporaryVolumeName(name)) throw invalid(`'${name}' is no name of a volume that is being made`);
  const path = `/dev/${place}/${name}`;
  // Fails where the group is not there, and is tried again when it may be.
  const volumes = await logicalVolumes(place, host);
  if (!volumes.some((each) => each.name === name)) return "nothing is left of it";
  if (!(await dropVolume(path, host))) throw invalid(`'${path}' cannot be removed`);
  return `'${path}' was removed`;
}
