import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import type { Host } from "../host/host.js";
import { hostLimits } from "../host/index.js";
import { lookUp, parseName } from "../tools/getent.js";
import { clusterSource, mountCluster } from "../tools/vstorage-mount.js";
import type { StorageDriver } from "./driver.js";
import { buildTarget, deleteTarget } from "./shared/build-directory.js";
import { FILE_TRAITS, fileVolumes } from "./shared/file-volumes.js";
import { type IsSource, isMounted, mountPool, unmountPool } from "./shared/mount/mounted.js";
import { runCommand } from "./shared/run-command.js";
import { measureDirectory, scanDirectory } from "./shared/scan-directory.js";
import { targetPath } from "./shared/target-directory.js";

/** libvirt's mode of what is mounted, where the document says none. */
const DEFAULT_MODE = 0o711;

/**
 * Pools of type "vstorage": a Virtuozzo storage cluster, mounted at the target; its entries are the volumes. Nobody ships
 * the product, so that this has never met a real cluster (docs/known-gaps.md).
 */
export const vstorageDriver: StorageDriver = {
  type: "vstorage",
  traits: FILE_TRAITS,

  check: (pool, host) => isMounted(pool, host, isCluster(pool)),

  scan: scanDirectory,
  measure: measureDirectory,

  async start(pool, host, { signal }) {
    const { mode, owner, group } = pool.target.permissions;
    const command = mountCluster({
      cluster: clusterOf(pool),
      target: targetPath(pool),
      mode: mode ?? DEFAULT_MODE,
      user: await nameOf("passwd", owner ?? process.geteuid?.() ?? 0, host, signal),
      group: await nameOf("group", group ?? process.getegid?.() ?? 0, host, signal),
    });
    return mountPool(pool, host, { command, isSource: isCluster(pool) }, signal);
  },

  stop: (pool, host) => unmountPool(pool, host, isCluster(pool)),

  async build(pool, host, flags, signal) {
    LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendVzPoolBuild", flags, 0);
    await buildTarget(pool, host, signal);
  },

  delete: deleteTarget,

  volumes: fileVolumes,
};

function clusterOf({ source }: PoolDocument): string {
  if (source.name !== null) return source.name;
  throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, "missing source name");
}

function isCluster(pool: PoolDocument): IsSource {
  const source = clusterSource(clusterOf(pool));
  return (mounted) => mounted.source === source;
}

async function nameOf(database: "passwd" | "group", id: number, host: Host, signal: CancelSignal): Promise<string> {
  const options = { signal, timeoutMs: hostLimits.questionMs };
  const what = database === "passwd" ? "user" : "group";
  const name = parseName(await runCommand(host, lookUp(database, id), options));
  if (name !== null) return name;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, `Failed to find ${what} name for id '${id}'`);
}
