import type { PoolDocument, VolumeDocument, VolumeType } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { isReservedName } from "../../host/index.js";
import { alreadyExists } from "./existing-entry.js";
import { volumePath } from "./target-directory.js";

/** Formats that make another thing than a file. */
const TYPES: Readonly<Record<string, VolumeType>> = { dir: "dir", ploop: "ploop" };

/** Names a new volume of a directory. Nothing is looked at yet: `fill` makes the file, and refuses one that is there. */
export async function allocateFile(pool: PoolDocument, wanted: VolumeDocument): Promise<VolumeDocument> {
  const { name } = wanted;
  if (name.includes("/")) {
    const text = `volume name '${name}' cannot contain '/'`;
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
  }
  if (isReservedName(name)) {
    // Scans leave it out, and recovery may remove it.
    const text = `volume name '${name}' is one of files that are being made`;
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
  }
  const path = volumePath(pool, name);
  if (name === "." || name === "..") throw alreadyExists(path);
  const type = TYPES[wanted.target.format ?? "raw"] ?? "file";
  return { ...wanted, type, key: path, target: { ...wanted.target, path } };
}
