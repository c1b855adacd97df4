import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DaemonProcess } from "./daemon-process.js";
import { MountNamespace, mountNamespacesUnavailable, type NamespaceMount } from "./mount-namespace.js";

/** Packages of Debian 12 that the comparison with a real libvirtd needs. */
export const LIBVIRTD_PACKAGES = [
  "libvirt-daemon-system",
  "libvirt-daemon",
  "libvirt-daemon-driver-storage-gluster",
  "libvirt-daemon-driver-storage-iscsi-direct",
  "libvirt-daemon-driver-storage-rbd",
  "libvirt-daemon-driver-storage-zfs",
  "libvirt-clients",
  "libsys-virt-perl",
  "python3-libvirt",
  "qemu-utils",
  "scrub",
  "util-linux",
] as const;

const NEEDED_FILES: readonly (readonly [path: string, packageName: string])[] = [
  ["/usr/sbin/libvirtd", "libvirt-daemon"],
  ["/usr/bin/virsh", "libvirt-clients"],
  ["/usr/lib/python3/dist-packages/libvirt.py", "python3-libvirt"],
  ["/usr/bin/qemu-img", "qemu-utils"],
  ["/usr/bin/scrub", "scrub"],
  ["/usr/lib/x86_64-linux-gnu/perl5/5.36/Sys/Virt.pm", "libsys-virt-perl"],
  ...["gluster", "iscsi-direct", "rbd", "zfs"].map(
    (backend) =>
      [
        `/usr/lib/x86_64-linux-gnu/libvirt/storage-backend/libvirt_storage_backend_${backend}.so`,
        `libvirt-daemon-driver-storage-${backend}`,
      ] as const,
  ),
];

/** Why no private libvirtd can be started here, or undefined when it can. */
export function libvirtdUnavailable(): string | undefined {
  const missing = NEEDED_FILES.filter(([path]) => !existsSync(path)).map(([, packageName]) => packageName);
  if (missing.length > 0) return `needs the packages ${missing.join(", ")}`;
  return mountNamespacesUnavailable();
}

/** A private libvirtd: its directories lie below `root` as etc, run, var and cache; nobody else sees it. */
export interface Libvirtd {
  readonly root: string;
  readonly socket: string;
  readonly socketReadOnly: string;
  readonly namespace: MountNamespace;
  readonly daemon: DaemonProcess;
  close(): Promise<void>;
}

/**
 * Prepares a libvirtd in a mount namespace where private directories lie over libvirt's own, so that its sockets, state
 * and definitions can be reached from outside below `root`, and outlive a restart. `daemon.start()` starts it.
 *
 * @param root an existing directory, short enough for a socket path
 * @param mounts what else the namespace sees
 */
export async function prepareLibvirtd(root: string, mounts: readonly NamespaceMount[] = []): Promise<Libvirtd> {
  const namespace = await MountNamespace.open([...(await libvirtPlaces(root)), ...mounts]);
  return libvirtdIn(namespace, root);
}

/**
 * libvirtd in a namespace that has `libvirtPlaces(root)`.
 *
 * @param listening lines of its configuration, for one that takes connections by the network too
 */
export async function libvirtdIn(
  namespace: MountNamespace,
  root: string,
  listening: readonly string[] = [],
): Promise<Libvirtd> {
  const configuration = join(root, "libvirtd.conf");
  const log = `log_outputs = "3:file:${join(root, "libvirtd.log")}"`;
  const isSaid = listening.some((line) => line.startsWith("auth_unix_rw"));
  const lines = ['auth_unix_ro = "none"', ...(isSaid ? [] : ['auth_unix_rw = "none"']), log, ...listening, ""];
  await writeFile(configuration, lines.join("\n"));
  const socket = join(root, "run/libvirt-sock");
  const daemon = new DaemonProcess(namespace, {
    name: "libvirtd",
    program: "/usr/sbin/libvirtd",
    args: [
      ...["--config", configuration, "--pid-file", join(root, "run/libvirtd.pid")],
      ...(listening.length === 0 ? [] : ["--listen"]),
    ],
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    socket,
    logFile: join(root, "libvirtd.out"),
  });
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

/** Private directories below `root` laid over libvirt's own. */
export async function libvirtPlaces(root: string): Promise<NamespaceMount[]> {
  const places = [
    ["etc", "/etc/libvirt"],
    ["run", "/run/libvirt"],
    ["var", "/var/lib/libvirt"],
    ["cache", "/var/cache/libvirt"],
  ] as const;
  for (const [name] of places) await mkdir(join(root, name), { recursive: true });
  return places.map(([name, onto]) => ({ kind: "bind", from: join(root, name), onto }));
}
