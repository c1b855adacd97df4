// The UML lane: a Linux kernel that runs as an ordinary process. No image, no KVM, no root; boots in about a second, and
// programs in it run at native speed. One CPU.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Readable } from "node:stream";
import type { Guest, GuestOptions, Lane } from "./guest.js";
import { watchGuest } from "./guest-process.js";
import { Job } from "./job.js";

const KERNEL = "/usr/bin/linux.uml";
const DEFAULT_MEMORY_MB = 2048;

export const umlLane: Lane = {
  name: "uml",

  unavailable() {
    if (!existsSync(KERNEL)) return "needs the package user-mode-linux";
    return process.arch === "x64" ? undefined : `needs an x86-64 machine; this is ${process.arch}`;
  },

  diskName: (index) => `/dev/ubd${"abcdefghijklmnop"[index]}`,

  async boot(options: GuestOptions): Promise<Guest> {
    const job = Job.create("uml", options);
    const memoryMb = options.memoryMb ?? DEFAULT_MEMORY_MB;
    const [console, lane] = [openSync(job.path("console"), "w"), openSync(job.path("lane"), "w")];
    try {
      // A guest ends with us, even when we are killed.
      const child = spawn("setpriv", ["--pdeathsig", "KILL", KERNEL, ...kernelArguments(job, memoryMb, options)], {
        detached: true,
        stdio: ["ignore", lane, lane, console, "pipe", "pipe"],
        env: { ...process.env, TMPDIR: placeForMemory(memoryMb) },
      });
      const [, , , , stdout, stderr] = child.stdio as readonly (Readable | null)[];
      pass(stdout, options.onStdout);
      pass(stderr, options.onStderr);
      return watchGuest(child, job, options, async () => {});
    } catch (error) {
      job.remove();
      throw error;
    } finally {
      closeSync(console);
      closeSync(lane);
    }
  },
};

/**
 * Consoles 0, 1 and 2 are the descriptors 3 (what the kernel and guest-init.sh say), 4 (the command's stdout) and 5 (its
 * stderr). umid and uml_dir keep the control socket out of the home directory.
 */
function kernelArguments(job: Job, memoryMb: number, options: GuestOptions): readonly string[] {
  return [
    `mem=${memoryMb}M`,
    ...[
      "rootfstype=hostfs",
      "rootflags=/",
      "ro",
      "quiet",
      `init=${job.path("uml-init.sh")}`,
      `lab.job=${job.directory}`,
    ],
    ...["umid=guest", `uml_dir=${job.directory}/`],
    ...["con=null", "ssl=null", "con0=null,fd:3", "con1=null,fd:4", "con2=null,fd:5"],
    ...(options.layers === undefined ? [] : [`lab.layers=${options.layers.join(":")}`]),
    ...(options.disks ?? []).map((file, index) => `ubd${index}=${file}`),
  ];
}

/** The guest's memory is a sparse file without a name; on a disk every page of it would be written back. */
function placeForMemory(memoryMb: number): string {
  const shared = "/dev/shm";
  if (!existsSync(shared)) return tmpdir();
  const { bavail, bsize } = statfsSync(shared);
  return bavail * bsize >= memoryMb * 1024 * 1024 ? shared : tmpdir();
}

function pass(stream: Readable | null | undefined, take: ((bytes: Buffer) => void) | undefined): void {
  // Read also what nobody wants: a full pipe would stop the guest.
  stream?.on("data", (bytes: Buffer) => take?.(bytes));
}
