import type { WithDoubts } from "@cistern/client";
import { formatSentence, formatSentences } from "../output/sentences.js";

/** Below a listing: why there may be more uses than are known. Nothing where all is known. */
export function formatDoubts({ doubts, isAnybodyAsked }: Omit<WithDoubts<unknown>, "items">): string {
  return formatSentences("Not all is known", doubts) + (isAnybodyAsked ? "" : formatSentence(HOW));
}

const HOW = 'Tell cisternd where guests are, in cisternd.toml: domain_sources = ["qemu:///system"]';
