import type { PoolType } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** What a driver may lack. (`build`, `start` and `stop` are no such things: without them there is nothing to do.) */
export type Operation =
  | "pool.delete"
  | "pool.discover"
  | "volume.create"
  | "volume.createFrom"
  | "volume.remove"
  | "volume.resize"
  | "volume.wipe"
  | "volume.download"
  | "volume.upload";

const texts: { readonly [Name in Operation]: string } = {
  "pool.delete": "pool does not support pool deletion",
  "pool.discover": "pool type '%s' does not support source discovery",
  "volume.create": "storage pool does not support volume creation",
  "volume.createFrom": "storage pool does not support volume creation from an existing volume",
  "volume.remove": "storage pool does not support vol deletion",
  "volume.resize": "storage pool does not support changing of volume capacity",
  "volume.wipe": "storage pool doesn't support volume wiping",
  "volume.download": "storage pool doesn't support volume download",
  "volume.upload": "storage pool doesn't support volume upload",
};

/** libvirt's answer when the pool's technology cannot do this: 3/18 with a text for each operation. */
export function unsupported(operation: Operation, type?: PoolType): LibvirtError {
  const text = texts[operation].replace("%s", type ?? "");
  return LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
}
