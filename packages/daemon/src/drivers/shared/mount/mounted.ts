import { setTimeout as delay } from "node:timers/promises";
import type { PoolDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../../cancel-signal.js";
import type { Command, Host, MountFacts } from "../../../host/host.js";
import { hostLimits } from "../../../host/index.js";
import { unmount } from "../../../tools/mount.js";
import { NOTHING_MADE, type Started } from "../../driver.js";
import { failingAs, isErrno } from "../failure.js";
import { runCommand } from "../run-command.js";
import { targetPath } from "../target-directory.js";

/** Whether what is mounted is the pool's source. */
export type IsSource = (mounted: MountFacts) => boolean | Promise<boolean>;

/** Whether the pool's source is what one sees at its target. Nothing is asked of the storage itself. */
export async function isMounted(pool: PoolDocument, host: Host, isSource: IsSource): Promise<boolean> {
  const target = targetPath(pool);
  if (!target.startsWith("/")) return false;
  const mounted = await failingAs("cannot read the mount table", host.mountAt(target), ErrorDomain.NONE);
  return mounted !== null && (await isSource(mounted));
}

export interface Mounting {
  readonly command: Command;
  readonly isSource: IsSource;
}

/** Mounts the pool's source, unless it is mounted already. A mount that is given up leaves nothing mounted. */
export async function mountPool(
  pool: PoolDocument,
  host: Host,
  { command, isSource }: Mounting,
  signal: CancelSignal,
): Promise<Started> {
  if (await isMounted(pool, host, isSource)) return NOTHING_MADE;
  await host.letGo?.(targetPath(pool));
  try {
    await runCommand(host, command, { signal, timeoutMs: hostLimits.mountMs });
  } catch (thrown) {
    // It may have been killed after the kernel had done it.
    if (await isMounted(pool, host, isSource).catch(() => false)) await unmountTarget(pool, host).catch(() => {});
    throw thrown;
  }
  return { made: [`mount ${targetPath(pool)}`] };
}

/** Takes the pool's source away from its target; whoever mounted it, as libvirt does. */
export async function unmountPool(pool: PoolDocument, host: Host, isSource: IsSource): Promise<void> {
  if (await isMounted(pool, host, isSource)) await unmountTarget(pool, host);
}

/** What is busy for a moment only (a file whose closing nobody waited for, a look by udev) is tried again. */
async function unmountTarget(pool: PoolDocument, host: Host): Promise<void> {
  const target = targetPath(pool);
  await host.letGo?.(target);
  const untilMs = performance.now() + hostLimits.unmountBusyMs;
  for (;;) {
    try {
      await runCommand(host, unmount(target), { timeoutMs: hostLimits.unmountMs });
      return;
    } catch (thrown) {
      const isBusy = thrown instanceof LibvirtError && /busy/.test(thrown.message);
      if (!isBusy || performance.now() > untilMs) throw thrown;
    }
    await delay(hostLimits.unmountPauseMs);
  }
}

/** Whether two paths lead to one node: the same device under another name (`/dev/disk/by-uuid/…`). */
export async function leadToOneDevice(one: string, other: string, host: Host): Promise<boolean> {
  if (one === other) return true;
  if (!one.startsWith("/") || !other.startsWith("/")) return false;
  try {
    const [first, second] = await Promise.all([host.facts(one), host.facts(other)]);
    return first.kind === "block" && first.device === second.device && first.inode === second.inode;
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return false;
    return failingAs(`cannot stat device '${other}'`, Promise.reject(thrown));
  }
}
