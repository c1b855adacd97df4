import { type ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Directory } from "../../host/host.js";

const ELOOP = 40;

/**
 * qemu-img opens an entry itself, because the backing file's name may be relative to it. It is given the directory by
 * descriptor, and the entry is looked at right before: a symlink that was none when the pool was scanned is refused, with
 * ELOOP. What else is wrong with it is qemu-img's to say.
 */
export async function refuseNewSymlink(
  directory: Directory,
  name: string,
  { detail, domain, signal }: { readonly detail: string; readonly domain: ErrorDomain; readonly signal: CancelSignal },
): Promise<void> {
  const entry = await directory.lookup(name, { signal, follow: false }).catch(() => null);
  if (entry?.kind === "symlink") throw LibvirtError.system(domain, ELOOP, detail);
}
