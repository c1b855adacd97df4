import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CallOptions, Directory } from "../../host/host.js";
import { HostError } from "../../host/host.js";
import { contentOf } from "./file-content.js";
import { fileVolume } from "./volume-document.js";

/** The files that make a directory a ploop image (the container disks of OpenVZ). */
const IMAGE = "root.hds";
const DESCRIPTOR = "DiskDescriptor.xml";

/** Images are found and removed; everything else needs OpenVZ's tools, which no distribution has any more. */
export function ploopToolsMissing(): LibvirtError {
  const text = "unable to find ploop, please install ploop tools";
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}

/** The directory as a ploop volume, or null where it is just a directory, whatever its files are called. */
export async function ploopVolume(
  directory: Directory,
  name: string,
  path: string,
  options: CallOptions,
): Promise<VolumeDocument | null> {
  try {
    await using inside = await directory.openDirectory(name, options);
    await inside.lookup(DESCRIPTOR, options);
    await using file = await inside.open(IMAGE, { access: "read" }, options);
    const { facts, sizeBytes, image } = await contentOf(file, options);
    if (image.format !== "ploop") return null;
    const volume = fileVolume(name, path, facts, sizeBytes, image);
    return { ...volume, type: "ploop", target: { ...volume.target, format: "ploop" } };
  } catch (thrown) {
    // It has no such files, or is no directory any more (or a symlink to one): then it is no ploop image.
    if (thrown instanceof HostError && thrown.code !== "ETIMEDOUT" && thrown.code !== "ECANCELED") return null;
    throw thrown;
  }
}
