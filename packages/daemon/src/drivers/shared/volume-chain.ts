import type { VolumeDocument } from "@cistern/documents";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { type Chain, type ChainStart, resolveChain } from "../../images/chain.js";
import { HostChainStorage, type PoolDirectory } from "../../images/host-chain-storage.js";
import { imageLimits } from "../../limits.js";

/** The file in a ploop volume (a directory) that is the image. */
const PLOOP_IMAGE = "root.hds";

const NOTHING_TO_FOLLOW: Chain = { links: [], isComplete: true };

/**
 * The backing chain of a volume, as far as it is on this machine. Nothing that images say is an error here. `directories`:
 * where chains may lead without a word. Volumes that are directories have none. `signal`: what was not found out by then stays
 * unknown.
 */
export async function volumeChain(
  volume: VolumeDocument,
  isSymlink: boolean,
  host: Host,
  directories: readonly PoolDirectory[],
  signal: CancelSignal = AbortSignal.timeout(imageLimits.chainMs),
): Promise<Chain> {
  const start = startOf(volume, isSymlink);
  if (start === null) return NOTHING_TO_FOLLOW;
  return resolveChain(start, new HostChainStorage(host, directories, signal));
}

function startOf({ type, target }: VolumeDocument, followsSymlink: boolean): ChainStart | null {
  const { path, encryption } = target;
  const format = target.format ?? "raw";
  if (path === null || type === "dir" || type === "netdir") return null;
  if (type === "ploop")
    return { path: `${path}/${PLOOP_IMAGE}`, format: "ploop", isLuks: false, followsSymlink: false };
  return { path, format, isLuks: format === "raw" && encryption?.format === "luks", followsSymlink };
}
