// The QEMU lane: Debian's kernel in a machine that is emulated (TCG), for what user-mode-linux has no modules for. Ten
// times slower where the processor counts, twice where the disk does; boots in three seconds. No image and no KVM either.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Guest, GuestError, type GuestOptions, type Lane } from "./guest.js";
import { endProcess, watchGuest } from "./guest-process.js";
import { Job } from "./job.js";
import { imageOf, installedKernel, writeInitialRoot } from "./qemu-kernel.js";

const QEMU = "/usr/bin/qemu-system-x86_64";
const FILE_SERVER = "/usr/lib/qemu/virtiofsd";
const DEFAULT_MEMORY_MB = 2048;
const SHARE_TIMEOUT_MS = 10_000;

export const qemuLane: Lane = {
  name: "qemu",

  unavailable() {
    for (const [path, name] of [
      [QEMU, "qemu-system-x86"],
      [FILE_SERVER, "qemu-system-common"],
      ["/bin/busybox", "busybox-static"],
      ["/usr/bin/cpio", "cpio"],
    ] as const) {
      if (!existsSync(path)) return `needs the package ${name}`;
    }
    if (installedKernel() === undefined) return "needs the package linux-image-amd64";
    return process.getuid?.() === 0 ? undefined : "needs root: the server of the guest's files serves all of them";
  },

  diskName: (index) => `/dev/vd${"abcdefghijklmnop"[index]}`,

  async boot(options: GuestOptions): Promise<Guest> {
    const version = installedKernel();
    if (version === undefined) throw new GuestError("not-started", "There is no kernel of Debian's in /boot.");
    const job = Job.create("qemu", options);
    const servers: ChildProcess[] = [];
    const endServers = async () => {
      await Promise.all(servers.map(endProcess));
    };
    const lane = openSync(job.path("lane"), "a");
    try {
      writeInitialRoot(version, job.path("qemu-init.sh"), job.path("initrd"));
      const shares = [
        { name: "root", directory: "/", cache: "always" },
        { name: "job", directory: job.directory, cache: "none" },
        ...layerNames(options).map((name, index) => ({
          name,
          directory: options.layers?.[index] ?? "/",
          cache: "always",
        })),
      ];
      await Promise.all(
        shares.map(({ name, directory, cache }) => {
          const server = serve(job, name, directory, cache, lane);
          servers.push(server);
          return waitForSocket(job, name, server);
        }),
      );
      const child = spawn("setpriv", ["--pdeathsig", "KILL", QEMU, ...machine(job, version, options)], {
        detached: true,
        stdio: ["ignore", lane, lane, "pipe", "pipe"],
      });
      const [, , , stdout, stderr] = child.stdio as readonly (Readable | null)[];
      stdout?.on("data", (bytes: Buffer) => options.onStdout?.(bytes));
      stderr?.on("data", (bytes: Buffer) => options.onStderr?.(bytes));
      return watchGuest(child, job, options, endServers);
    } catch (error) {
      await endServers();
      job.remove();
      throw error;
    } finally {
      closeSync(lane);
    }
  },
};

function layerNames({ layers = [] }: GuestOptions): readonly string[] {
  return layers.map((_, index) => `layer${index}`);
}

/** Starts the server of one directory. It ends by itself when its guest does. */
function serve(job: Job, name: string, directory: string, cache: string, log: number): ChildProcess {
  const args = [`--socket-path=${job.path(`${name}.socket`)}`, "-o", `source=${directory}`, "-o", `cache=${cache}`];
  return spawn(
    "setpriv",
    // One thread: more of them only wait for each other here.
    ["--pdeathsig", "KILL", FILE_SERVER, ...args, "-o", "sandbox=chroot", "--thread-pool-size=1"],
    { stdio: ["ignore", log, log] },
  );
}

async function waitForSocket(job: Job, name: string, server: ChildProcess | undefined): Promise<void> {
  const deadline = Date.now() + SHARE_TIMEOUT_MS;
  while (!existsSync(job.path(`${name}.socket`))) {
    if (server?.exitCode !== null || Date.now() > deadline) {
      throw new GuestError(
        "not-started",
        `The server of the guest's files ("${name}") did not start.\n${job.lastWords()}`,
      );
    }
    await sleep(10);
  }
}

/**
 * The descriptors 3 and 4 are the command's stdout and stderr, which the guest has as virtio's serial ports. Memory is
 * shared with the servers of files. `pc` and timers stay as they are: the smaller machines hang under TCG now and then.
 */
function machine(job: Job, version: string, options: GuestOptions): readonly string[] {
  const memoryMb = options.memoryMb ?? DEFAULT_MEMORY_MB;
  const kernelLine = [
    ...["console=ttyS0", "quiet", "no_timer_check", "mitigations=off", "nokaslr", "random.trust_cpu=on"],
    // A kernel that has lost a thread may wait for it until the time limit: it ends at once instead, and its console says why.
    ...["oops=panic", "panic=-1"],
    ...(options.layers === undefined ? [] : [`lab.layers=${options.layers.length}`]),
  ];
  const share = (name: string) => [
    ...["-chardev", `socket,id=${name},path=${job.path(`${name}.socket`)}`],
    ...["-device", `vhost-user-fs-pci,chardev=${name},tag=${name}`],
  ];
  return [
    ...["-machine", "q35,memory-backend=memory", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", `${memoryMb}`],
    ...["-object", `memory-backend-memfd,id=memory,size=${memoryMb}M,share=on`],
    ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", `file:${job.path("console")}`],
    ...["-kernel", imageOf(version), "-initrd", job.path("initrd"), "-append", kernelLine.join(" ")],
    ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"],
    ...["-chardev", "socket,id=stdout,fd=3", "-device", "virtserialport,chardev=stdout,nr=1"],
    ...["-chardev", "socket,id=stderr,fd=4", "-device", "virtserialport,chardev=stderr,nr=2"],
    ...share("root"),
    ...share("job"),
    ...layerNames(options).flatMap(share),
    ...(options.disks ?? []).flatMap((file) => ["-drive", `file=${file},format=raw,if=virtio`]),
  ];
}
