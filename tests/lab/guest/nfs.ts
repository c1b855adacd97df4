import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModule, loadModules } from "./modules.js";
import { run, runDaemon } from "./run.js";

/** What clients call "/": a file system of its own, because one that is laid over another cannot be exported. */
const EXPORT_ROOT = "/srv/nfs";

export interface NfsExport {
  /** As clients name it: an absolute path below the server's root. */
  readonly path: string;
  /** In the style of exports(5); "rw" and what a guest needs is there already. Default: ["no_root_squash"]. */
  readonly options?: readonly string[];
}

/**
 * Starts an NFS server (versions 3, 4.0, 4.1 and 4.2) on the guest's loopback. Once in a guest's life. A lock that is
 * asked for over version 3 in its first seconds waits for their end: that is how the protocol recovers from reboots.
 *
 * @returns the directory in the guest that lies behind an export
 */
export function startNfsServer(exports: readonly NfsExport[]): (path: string) => string {
  // Before nfsd, which reads them once: how long it waits for clients to claim the locks of an earlier life.
  loadModule("lockd", "nlm_grace_period=1", "nlm_timeout=3");
  loadModules("nfsd", "nfs", "nfsv3", "nfsv4");
  for (const place of [EXPORT_ROOT, "/var/lib/nfs"]) {
    mkdirSync(place, { recursive: true });
    // A size that does not depend on the guest's memory: clients show it.
    run("mount", ["-t", "tmpfs", "-o", "mode=755,size=768m", "tmpfs", place]);
  }
  for (const place of ["/run/rpcbind", "/run/sendsigs.omit.d", "sm", "v4recovery", "nfsdcld"]) {
    mkdirSync(place.startsWith("/") ? place : join("/var/lib/nfs", place), { recursive: true });
  }
  for (const file of ["etab", "rmtab"]) writeFileSync(join("/var/lib/nfs", file), "");
  const directoryOf = (path: string) => join(EXPORT_ROOT, path);
  for (const { path } of exports) {
    mkdirSync(directoryOf(path), { recursive: true });
    chmodSync(directoryOf(path), 0o777);
  }
  run("mount", ["-t", "nfsd", "nfsd", "/proc/fs/nfsd"]);
  writeFileSync("/etc/nfs.conf", `[exports]\nrootdir=${EXPORT_ROOT}\n`);
  writeFileSync("/etc/exports", exports.map(exportLine).join(""));
  runDaemon("rpcbind", ["-w"]);
  run("exportfs", ["-a"]);
  runDaemon("rpc.statd", ["--no-notify"]);
  runDaemon("rpc.nfsd", ["--host", "127.0.0.1", "2"]);
  runDaemon("rpc.mountd");
  writeFileSync("/proc/fs/nfsd/v4_end_grace", "Y\n");
  return directoryOf;
}

/** Takes the server away: from now on its clients' mounts hang, as those of a host that is gone. */
export function stopNfsServer(): void {
  run("rpc.nfsd", ["0"]);
}

/** Starts it again after `stopNfsServer`. */
export function restartNfsServer(): void {
  runDaemon("rpc.nfsd", ["--host", "127.0.0.1", "2"]);
  writeFileSync("/proc/fs/nfsd/v4_end_grace", "Y\n");
}

/** "insecure" lets ports above 1024 in; fsid, because a file system in memory has no number of its own. */
function exportLine({ path, options = ["no_root_squash"] }: NfsExport, index: number): string {
  const all = ["rw", "sync", "no_subtree_check", "insecure", `fsid=${index + 1}`, ...options];
  return `${path} 127.0.0.1(${all.join(",")})\n`;
}
