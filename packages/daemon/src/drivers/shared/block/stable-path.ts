import { posix } from "node:path";
import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { type CancelSignal, pause } from "../../../cancel-signal.js";
import type { Host } from "../../../host/host.js";
import { hostLimits } from "../../../host/index.js";
import { failingAs, isErrno } from "../failure.js";
import { targetPath } from "../target-directory.js";

/**
 * The path of a device that stays the same over reboots: the entry of the pool's target directory (`/dev/disk/by-path` …)
 * that leads to it. A target of `/dev` or below none gives the device's own path. udev makes links a moment after nodes, so that
 * it is looked for several times; null: there is none.
 */
export async function stablePath(
  pool: PoolDocument,
  devicePath: string,
  host: Host,
  signal: CancelSignal,
): Promise<string | null> {
  const target = targetPath(pool);
  if (target !== "/dev" && !target.startsWith("/dev/")) {
    const text = `unable to use target path '${target}' for dev '${devicePath}'`;
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
  }
  if (target === "/dev") return devicePath;
  for (let attempt = 1; ; attempt++) {
    const found = await linkTo(target, devicePath, host, signal);
    if (found !== null || attempt >= hostLimits.stablePathAttempts) return found;
    await pause(hostLimits.stablePathPauseMs, signal);
    if (signal.aborted) return null;
  }
}

/** Of several links the first by name, so that it is the same one each time. */
async function linkTo(target: string, devicePath: string, host: Host, signal: CancelSignal): Promise<string | null> {
  const options = { signal };
  try {
    await using directory = await host.openDirectory(target, options);
    for (const name of (await directory.names(options)).sort()) {
      const content = await directory.readLink(name, options).catch(() => null);
      if (content !== null && posix.resolve(target, content) === devicePath) return `${target}/${name}`;
    }
    return null;
  } catch (thrown) {
    // The directory comes with its first link.
    if (isErrno(thrown, "ENOENT")) return null;
    return failingAs(`cannot read dir '${target}'`, Promise.reject(thrown));
  }
}
