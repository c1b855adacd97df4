import type { Command } from "../host/host.js";

export interface ClusterMount {
  readonly cluster: string;
  readonly target: string;
  /** Permission bits of what is mounted. */
  readonly mode: number;
  /** Names: vstorage-mount knows no numbers. */
  readonly user: string;
  readonly group: string;
}

/** Mounts a Virtuozzo storage cluster. -c: which; -m, -g, -u: mode, group and user of everything in it. */
export function mountCluster({ cluster, target, mode, user, group }: ClusterMount): Command {
  const args = ["-c", cluster, target, "-m", mode.toString(8), "-g", group, "-u", user];
  return { program: "vstorage-mount", args, leavesRunning: true };
}

/** How the kernel's mount table names a mounted cluster. */
export function clusterSource(cluster: string): string {
  return `vstorage://${cluster}`;
}
