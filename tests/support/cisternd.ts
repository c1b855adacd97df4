import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonProcess } from "./daemon-process.js";
import { libvirtPlaces } from "./libvirtd.js";
import { MountNamespace, type NamespaceMount } from "./mount-namespace.js";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const EXECUTABLE = join(PROJECT, "packages/daemon/bin/cisternd.js");
const BUILT = join(PROJECT, "packages/daemon/dist/main.js");

/** Why cisternd cannot be started, or undefined when it can. */
export function cisterndUnavailable(): string | undefined {
  return existsSync(BUILT) ? undefined : "needs a build: npm run build";
}

/** A cisternd whose directories lie below `root` as etc, run and var, as a private libvirtd's do. */
export interface Cisternd {
  readonly root: string;
  readonly socket: string;
  readonly socketReadOnly: string;
  readonly namespace: MountNamespace;
  readonly daemon: DaemonProcess;
  close(): Promise<void>;
}

/**
 * Prepares `cisternd --root root` in a mount namespace where `root/run` also lies over /run/libvirt, so that a client
 * that opens exactly `qemu:///system` finds it. `daemon.start()` starts it.
 */
export async function prepareCisternd(root: string, mounts: readonly NamespaceMount[] = []): Promise<Cisternd> {
  const namespace = await MountNamespace.open([...(await libvirtPlaces(root)), ...mounts]);
  const socket = join(root, "run/libvirt-sock");
  const daemon = rootedCisternd(namespace, root);
  return {
    root,
    socket,
    socketReadOnly: `${socket}-ro`,
    namespace,
    daemon,
    async close() {
      await daemon.stop();
      await namespace.close();
    },
  };
}

/** `cisternd --root root` in any namespace, such as that of a private libvirtd. `root` must have the directory `etc`. */
export function rootedCisternd(namespace: MountNamespace, root: string): DaemonProcess {
  return cisterndProcess(namespace, root, ["--root", root], join(root, "run/libvirt-sock"));
}

/** `cisternd --drop-in` in a namespace that has `libvirtPlaces(root)`. */
export function dropInCisternd(namespace: MountNamespace, root: string): DaemonProcess {
  return cisterndProcess(namespace, root, ["--drop-in"], join(root, "run/virtstoraged-sock"));
}

function cisterndProcess(
  namespace: MountNamespace,
  root: string,
  args: readonly string[],
  socket: string,
): DaemonProcess {
  return new DaemonProcess(namespace, {
    name: "cisternd",
    program: process.execPath,
    args: [EXECUTABLE, ...args],
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    socket,
    logFile: join(root, "cisternd.log"),
  });
}
