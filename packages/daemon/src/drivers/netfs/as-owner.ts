import type { Permissions, PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { Host, Identity } from "../../host/host.js";
import { targetPath } from "../shared/target-directory.js";

const EPERM = 1;
const EACCES = 13;
const ROOT = 0;

/** What programs say of the same (they run with LC_ALL=C). */
const REFUSED = /Permission denied|Operation not permitted/;

/**
 * Does `work` as this process's user. Where a server refuses that (root_squash makes nobody of root), it is done again as
 * the volume's owner, then as the pool's: whom the documents name, or of what was found, whose it is. The last refusal
 * stands. `work` has to leave nothing behind when it fails, as all operations of drivers do.
 */
export async function asOwner<T>(
  pool: PoolDocument,
  volume: VolumeDocument | null,
  host: Host,
  work: (host: Host) => Promise<T>,
): Promise<T> {
  try {
    return await work(host);
  } catch (refusal) {
    if (!isRefusal(refusal)) throw refusal;
    let last: unknown = refusal;
    for (const identity of owners(pool, volume)) {
      const other = await host.as?.(targetPath(pool), identity);
      if (other == null) continue;
      try {
        return await work(other);
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        last = thrown;
      }
    }
    throw last;
  }
}

function isRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof LibvirtError)) return false;
  if (thrown.code === ErrorCode.SYSTEM_ERROR) return thrown.int1 === EPERM || thrown.int1 === EACCES;
  return thrown.code === ErrorCode.INTERNAL_ERROR && REFUSED.test(thrown.message);
}

function owners(pool: PoolDocument, volume: VolumeDocument | null): Identity[] {
  const all = [...identityOf(volume?.target.permissions), ...identityOf(pool.target.permissions)];
  return all.filter(({ owner, group }, at) => all.findIndex((o) => o.owner === owner && o.group === group) === at);
}

/** Whoever is not said to be of another group is of root's, as with libvirt. */
function identityOf(permissions: Permissions | undefined): Identity[] {
  const owner = permissions?.owner ?? ROOT;
  return owner === ROOT ? [] : [{ owner, group: permissions?.group ?? ROOT }];
}
