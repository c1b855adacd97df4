import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { isErrno } from "./failure.js";

const ENOSYS = 38;

/** What can be told not to copy on write: a file or a directory. */
interface Place {
  readonly path: string;
  setNoCopyOnWrite(value: boolean): Promise<void>;
}

/** Sets the flag or says, as libvirt does, that only btrfs has it: 38/0 with "Function not implemented". */
export async function setNoCopyOnWrite(place: Place, value: boolean): Promise<void> {
  try {
    // Elsewhere the flag cannot be set, but taking it away is often accepted: there it was never there.
    await place.setNoCopyOnWrite(true);
    if (!value) await place.setNoCopyOnWrite(false);
  } catch (thrown) {
    const isMissing = isErrno(thrown, "EOPNOTSUPP", "ENOTTY", "ENOSYS", "EINVAL");
    const detail = `unable to control COW flag on '${place.path}', not btrfs`;
    if (isMissing) throw LibvirtError.system(ErrorDomain.NONE, ENOSYS, detail, { cause: thrown });
    throw LibvirtError.from(thrown);
  }
}
