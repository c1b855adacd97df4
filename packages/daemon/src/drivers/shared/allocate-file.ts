import type { PoolDocument, VolumeDocument, VolumeType } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { failure, isErrno } from "./failure.js";
import { openTargetRaw, volumePath } from "./target-directory.js";

/** Formats that make another thing than a file. */
const TYPES: Readonly<Record<string, VolumeType>> = { dir: "dir", ploop: "ploop" };

/** Names a new volume of a directory. Nothing is made yet: `fill` makes the file, and refuses one that came between. */
export async function allocateFile(
  pool: PoolDocument,
  wanted: VolumeDocument,
  context: VolumeContext,
): Promise<VolumeDocument> {
  const { name } = wanted;
  if (name.includes("/")) throw refusal(`volume name '${name}' cannot contain '/'`);
  const path = volumePath(pool, name);
  if (await exists(pool, name, context)) throw refusal(`volume target path '${path}' already exists`);
  const type = TYPES[wanted.target.format ?? "raw"] ?? "file";
  return { ...wanted, type, key: path, target: { ...wanted.target, path } };
}

function refusal(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

async function exists(pool: PoolDocument, name: string, context: VolumeContext): Promise<boolean> {
  if (name === "." || name === "..") return true;
  let directory: Directory | null = null;
  try {
    directory = await openTargetRaw(pool, context.host);
    await directory.lookup(name, { follow: true });
    return true;
  } catch (thrown) {
    // Whatever hides it (a name too long, a directory that is gone), making the file will say it better.
    if (!isErrno(thrown, "ETIMEDOUT", "ECANCELED")) return false;
    throw failure(thrown, `cannot look up '${volumePath(pool, name)}'`);
  } finally {
    await directory?.close();
  }
}
