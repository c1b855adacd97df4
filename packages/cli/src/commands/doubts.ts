import { formatSentence, formatSentences } from "../output/sentences.js";

/** Below a listing: why there may be more uses than are known. Nothing where all is known. */
export function formatDoubts(doubts: readonly string[]): string {
  const isNobodyAsked = doubts.some((doubt) => doubt.startsWith("no domain source"));
  return formatSentences("Not all is known", doubts) + (isNobodyAsked ? formatSentence(HOW) : "");
}

const HOW = 'Tell cisternd where guests are, in cisternd.toml: domain_sources = ["qemu:///system"]';
