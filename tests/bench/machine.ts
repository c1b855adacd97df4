import { execFile } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { promisify } from "node:util";

/** What the numbers depend on. */
export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly libvirt: string;
  readonly fileSystem: string;
}

export async function machineFacts(directory: string): Promise<Machine> {
  const processors = cpus();
  return {
    kernel: release(),
    cpu: processors[0]?.model.trim() ?? "unknown",
    cpus: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    // "/usr/sbin/libvirtd (libvirt) 9.0.0"
    libvirt: (await outputOf("libvirtd", ["--version"])).split(" ").at(-1) ?? "unknown",
    fileSystem: await outputOf("stat", ["--file-system", "--format=%T", directory]),
  };
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { timeout: 10_000 });
  return stdout.trim();
}
