import { execFile } from "node:child_process";
import { existsSync } from "node:fs";

const VIRSH = "/usr/bin/virsh";
const PATIENCE_MS = 60_000;

export interface Ended {
  /** -1: it was killed. */
  readonly status: number;
  /** What it said, on stdout and stderr. */
  readonly output: string;
}

export interface Virsh {
  readonly pid: number;
  readonly ended: Promise<Ended>;
}

/** Why virsh cannot be asked; null when it can. */
export function virshMissing(): string | null {
  return existsSync(VIRSH) ? null : "needs the package libvirt-clients";
}

/** libvirt's own client, which knows nothing of Cistern. */
export function startVirsh(daemon: { readonly socket: string }, ...args: readonly string[]): Virsh {
  const line = ["-c", `storage+unix:///system?socket=${daemon.socket}`, ...args];
  let pid = 0;
  const ended = new Promise<Ended>((resolve) => {
    const child = execFile(VIRSH, line, { timeout: PATIENCE_MS }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
    pid = child.pid ?? 0;
  });
  return { pid, ended };
}

export function virsh(daemon: { readonly socket: string }, ...args: readonly string[]): Promise<Ended> {
  return startVirsh(daemon, ...args).ended;
}
