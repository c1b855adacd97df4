import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareCisternd } from "../support/cisternd.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { prepareLibvirtd } from "../support/libvirtd.js";
import type { MountNamespace, NamespaceMount } from "../support/mount-namespace.js";
import { measuringQemuImg } from "./measuring-qemu-img.js";

/** One of the two daemons that are compared, in a namespace where a work file system of its own lies at `workPlace`. */
export interface Side {
  readonly name: string;
  readonly root: string;
  /** The same path on both sides; what lies there is each side's own. */
  readonly workPlace: string;
  readonly socket: string;
  readonly socketReadOnly: string;
  readonly namespace: MountNamespace;
  readonly daemon: DaemonProcess;
  /** How long a script may take; without it two minutes. */
  readonly scriptTimeoutMs?: number;
  /** What else scripts are told. */
  readonly environment?: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export type DaemonName = "libvirtd" | "cisternd";

/**
 * Starts a daemon on one side.
 *
 * @param base directory of the run; its length decides whether the sockets' paths fit
 * @param label the side's directory below `base`, of one length for both, so that columns in output fall alike
 */
export async function openSide(
  daemonName: DaemonName,
  base: string,
  label: string,
  work: NamespaceMount,
): Promise<Side> {
  const root = join(base, label);
  await mkdir(root, { recursive: true });
  const prepare = daemonName === "libvirtd" ? prepareLibvirtd : prepareCisternd;
  // cisternd calls it again by itself.
  const programs = daemonName === "libvirtd" ? [await measuringQemuImg(root)] : [];
  const prepared = await prepare(root, [work, ...programs]);
  // Where the administrator may have it libvirt's way, it is compared with libvirt; the other way has tests of its own.
  if (daemonName === "cisternd") {
    await mkdir(join(root, "etc"), { recursive: true });
    await writeFile(join(root, "etc/cisternd.toml"), 'delete_backing_stores = "allow"\n');
  }
  try {
    await prepared.daemon.start();
  } catch (error) {
    await prepared.close();
    throw error;
  }
  return { ...prepared, name: daemonName, workPlace: work.onto };
}

/** Forgets everything a daemon wrote; it must be stopped. */
export async function forget(side: Side): Promise<void> {
  for (const place of ["etc/storage", "etc/secrets", "run/storage"]) {
    await rm(join(side.root, place), { recursive: true, force: true });
  }
}
