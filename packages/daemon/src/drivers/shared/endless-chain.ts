import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { anyOf, type CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { type Chain, isPlainFormat, resolveChain } from "../../images/chain.js";
import type { ChainLink } from "../../images/chain-link.js";
import { HostChainStorage } from "../../images/host-chain-storage.js";
import { imageLimits } from "../../limits.js";

/** An image that qemu-img is about to open, and whatever it rests on with it. */
export interface ImageToOpen {
  readonly path: string;
  /** As qemu-img is told it. */
  readonly format: string;
  readonly followsSymlink: boolean;
}

/**
 * 9 where the backing chain of an image comes back to itself or has more than `imageLimits.chainLinks` links: qemu-img would
 * open one link after the other for minutes. Whatever else is wrong with a chain is qemu-img's to find, and to say.
 */
export async function refuseEndlessChain(
  { path, format, followsSymlink }: ImageToOpen,
  host: Host,
  cancel: CancelSignal,
): Promise<void> {
  if (isPlainFormat(format)) return;
  using either = anyOf(cancel, AbortSignal.timeout(imageLimits.chainMs));
  const start = { path, format, isLuks: false, followsSymlink };
  const chain = await resolveChain(start, new HostChainStorage(host, [], either.signal));
  const why = whyEndless(chain);
  if (why === null) return;
  const text = `cannot open image '${path}': its backing chain cannot be followed to an end: ${why}`;
  throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text);
}

function whyEndless({ links }: Chain): string | null {
  // Data files rest on nothing, however often one is named.
  const images = links.filter(({ role }) => role !== "data");
  const last = images.at(-1);
  // An image that declares itself, or one above it, as plain content ends there.
  const isCycle = last?.format == null || !isPlainFormat(last.format);
  for (const { kind, detail } of last?.problems ?? []) {
    const isEndless = kind === "cycle" ? isCycle : kind === "too-deep" && images.length >= imageLimits.chainLinks;
    if (isEndless && last !== undefined) return `link ${links.indexOf(last)}, ${nameOf(last, links)}: ${detail}`;
  }
  return null;
}

function nameOf({ path, name, namedBy }: ChainLink, links: readonly ChainLink[]): string {
  const above = namedBy === null ? undefined : links[namedBy];
  return `'${path ?? name}'${above === undefined ? "" : ` (named by '${above.path ?? above.name}')`}`;
}
