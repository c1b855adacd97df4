import { printable } from "./text.js";
import { displayWidth } from "./width.js";

/** What every terminal has. */
const COLUMNS = 80;

/** A sentence on lines of its own, `indent` columns to the right. Only blanks are broken at: a path stays one word. */
export function formatSentence(sentence: string, indent = 2): string {
  const margin = " ".repeat(indent);
  const lines: string[] = [];
  let line = "";
  for (const word of printable(sentence).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && indent + displayWidth(longer) > COLUMNS) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => `${margin}${each}\n`).join("");
}

/** Sentences under their title; nothing where there are none. */
export function formatSentences(title: string, sentences: readonly string[]): string {
  return sentences.length === 0 ? "" : `\n${title}:\n${sentences.map((each) => formatSentence(each)).join("")}`;
}
