import { backingLocation, isPath, isRemoteDescription } from "./backing.js";

/** Where the name of a backing or data file leads, as qemu understands it. */
export type LinkTarget =
  | {
      readonly kind: "path";
      readonly path: string;
      /** As a `json:` description says it. */
      readonly format: string | null;
    }
  | { readonly kind: "remote" }
  | { readonly kind: "unusable"; readonly why: string };

/** Protocols for something with a path on this machine. */
const PATH_PROTOCOLS = ["file:", "host_device:", "host_cdrom:"];

/**
 * A name is relative to the directory of the path by which the image that holds it was opened, whatever symlinks are in it.
 *
 *     base.qcow2, ../base, /images/base      a path
 *     file:/images/base                      the same; relative ones would be relative to whoever opens it
 *     json:{…}                               a path, another machine's storage, or nothing understandable
 *     nbd:…, rbd:…, https:…                  another machine's storage
 */
export function linkTarget(name: string, imageDirectory: string): LinkTarget {
  if (name === "") return unusable("The name is empty.");
  if (name.includes("\0")) return unusable("The name has a zero byte in it.");
  if (isPath(name)) return path(name.startsWith("/") ? name : `${imageDirectory}/${name}`);
  const protocol = PATH_PROTOCOLS.find((candidate) => name.startsWith(candidate));
  if (protocol !== undefined) return path(name.slice(protocol.length));
  if (name.startsWith("fat:")) return unusable("It is a directory shown as a FAT disk.");
  if (!name.startsWith("json:")) return { kind: "remote" };
  const { path: described, isLocal, format, isFileAlone } = backingLocation(name, imageDirectory);
  if (isLocal) return path(described, isFileAlone === true ? "raw" : format);
  if (isRemoteDescription(name)) return { kind: "remote" };
  return unusable("The description names no file with an absolute path.");
}

function path(absolute: string, format: string | null = null): LinkTarget {
  if (!absolute.startsWith("/")) return unusable("The path is relative to whoever opens it.");
  return absolute.includes("\0")
    ? unusable("The path has a zero byte in it.")
    : { kind: "path", path: absolute, format };
}

function unusable(why: string): LinkTarget {
  return { kind: "unusable", why };
}
