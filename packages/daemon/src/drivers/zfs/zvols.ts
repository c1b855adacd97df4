import { setTimeout as delay } from "node:timers/promises";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { limits } from "../../limits.js";
import {
  datasetExists,
  destroyVolume,
  listVolume,
  parseVolumes,
  saysBusy,
  saysMissing,
  type ZvolFacts,
} from "../../tools/zfs.js";
import type { FoundVolume } from "../driver.js";
import { settle } from "../shared/block/settle.js";
import { failure, isErrno } from "../shared/failure.js";
import { volumePath } from "../shared/target-directory.js";
import { datasetOf, runZfs, usableZpool } from "./datasets.js";

/** ZFS volumes as the daemon shows and handles them. */

/** Where udev puts the device's link: by ZFS's rules it has a "+" for a space. */
export function zvolPath(pool: PoolDocument, name: string): string {
  return volumePath(pool, name.replaceAll(" ", "+"));
}

/** libvirt's allocation is what the pool keeps free for the volume, so that a sparse one has none. */
export function foundZvol(pool: PoolDocument, { fullName, capacityBytes, reservedBytes }: ZvolFacts): FoundVolume {
  const name = fullName.slice(fullName.lastIndexOf("/") + 1);
  const document: VolumeDocument = {
    type: "block",
    name,
    key: fullName,
    source: [],
    capacityBytes,
    allocationBytes: reservedBytes,
    hasAllocation: true,
    physicalBytes: 0n,
    target: {
      path: zvolPath(pool, name),
      format: null,
      permissions: { mode: null, owner: null, group: null, label: null },
      timestamps: null,
      encryption: null,
      compat: null,
      clusterSizeBytes: 0n,
      features: null,
      noCopyOnWrite: false,
    },
    backingStore: null,
  };
  return { document, evidence: null };
}

/** null: there is no volume of that name, in a pool that is there. */
export async function lookAtZvol(pool: PoolDocument, fullName: string, host: Host): Promise<FoundVolume | null> {
  const output = await ifThere(datasetOf(pool), host, () => runZfs(host, listVolume(fullName)));
  const facts = output === null ? undefined : parseVolumes(output).find((found) => found.fullName === fullName);
  return facts === undefined ? null : foundZvol(pool, facts);
}

export async function isTaken(dataset: string, fullName: string, host: Host): Promise<boolean> {
  return (await ifThere(dataset, host, () => runZfs(host, datasetExists(fullName)))) !== null;
}

/**
 * Destroys a volume; one that is gone already is no error, but a pool that is gone is. Right after somebody had written to
 * it, udev looks at a device: what is busy is tried again for a moment.
 *
 * @returns whether there was anything to destroy
 */
export async function destroyZvol(
  dataset: string,
  fullName: string,
  withSnapshots: boolean,
  host: Host,
): Promise<boolean> {
  const command = destroyVolume(fullName, withSnapshots);
  return (await ifThere(dataset, host, () => unlessBusy(host, () => runZfs(host, command)))) !== null;
}

/** Does it again, for a moment, while ZFS says that the device is in use. */
export async function unlessBusy<T>(host: Host, work: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + limits.zvolBusyMs;
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (!saysBusy(LibvirtError.from(thrown).message) || performance.now() > endMs) throw thrown;
      await settle(host);
      await delay(limits.zvolPollMs);
    }
  }
}

/** Waits until udev has made the volume's device node. */
export async function awaitDevice(path: string, host: Host, signal: CancelSignal): Promise<void> {
  const endMs = performance.now() + limits.zvolDeviceMs;
  await settle(host);
  for (;;) {
    try {
      if ((await host.facts(path, { signal })).kind === "block") return;
    } catch (thrown) {
      if (!isErrno(thrown, "ENOENT")) throw failure(thrown, `cannot look for device '${path}'`);
    }
    if (performance.now() > endMs) {
      const text = `no device '${path}' has appeared: it is udev's to make it, by the rules that come with ZFS`;
      throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text);
    }
    await delay(limits.zvolPollMs);
  }
}

/** null where ZFS says that what it was asked about does not exist, although the pool does. */
async function ifThere<T>(dataset: string, host: Host, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    if (!saysMissing(LibvirtError.from(thrown).message)) throw thrown;
    // Of an exported pool everything is missing, and nothing is gone.
    await usableZpool(dataset, host);
    return null;
  }
}
