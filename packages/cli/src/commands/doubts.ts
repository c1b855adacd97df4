import { printable } from "../output/text.js";

/** Below a listing: why there may be more uses than are known. Nothing where all is known. */
export function formatDoubts(doubts: readonly string[]): string {
  if (doubts.length === 0) return "";
  const lines = doubts.map((doubt) => `  ${printable(doubt)}\n`).join("");
  return `\nNot all is known:\n${lines}${doubts.some((doubt) => doubt.startsWith("no domain source")) ? HOW : ""}`;
}

const HOW = `  Tell cisternd where guests are, in cisternd.toml: domain_sources = ["qemu:///system"]\n`;
