import { candidatesOf } from "../completion/candidates.js";
import { quoted, readLine, unquoted } from "../completion/line.js";
import { COMPLETION_SCRIPTS, FILES_MARK } from "../completion/scripts.js";
import type { Context } from "../context.js";
import { GENERAL_OPTIONS } from "../general-options.js";
import { type Command, command } from "./command.js";
import { choice, optionalTexts } from "./parameters.js";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `all`: every command there is, this one too; it is asked for late, because this one is among them. */
export function completionOf(all: () => readonly Command[]): Command {
  return command({
    name: "completion",
    summary: "print what a shell has to run to complete command lines: source <(cistern completion bash)",
    parameters: {
      shell: choice('which shell; "words" and "line" are what the shells ask themselves', [...SHELLS, "words", "line"]),
      words: optionalTexts("the command line so far; its last word is completed"),
    },
    async run(context, { shell, words }) {
      if (shell === "words") context.print(await answerWords(context, words, all()));
      else if (shell === "line") context.print(await answerLine(context, words, all()));
      else context.print(COMPLETION_SCRIPTS[shell]);
    },
  });
}

/** zsh and fish hand over the words after the program as they were typed, and quote what they insert. */
async function answerWords(context: Context, words: readonly string[], commands: readonly Command[]): Promise<string> {
  const read = words.map((word) => unquoted(word, homeOf(context)));
  const candidates = await candidatesOf(context, read, commands, GENERAL_OPTIONS);
  return candidates.map(({ word, about }) => (word === FILES_MARK ? `${word}\n` : `${word}\t${about}\n`)).join("");
}

/** bash breaks words also at colons and the like, and inserts what it gets as it is: it hands over where, and the whole line. */
async function answerLine(
  context: Context,
  [breaks = "", line = ""]: readonly string[],
  commands: readonly Command[],
): Promise<string> {
  const [, ...words] = readLine(line, breaks, homeOf(context));
  const { kept, openQuote } = words.at(-1) ?? { kept: "", openQuote: null };
  const values = words.map(({ value }) => value);
  const candidates = await candidatesOf(context, values, commands, GENERAL_OPTIONS);
  const inserted = candidates.map(({ word }) =>
    word === FILES_MARK ? word : quoted(word.slice(kept.length), openQuote),
  );
  return inserted.map((text) => `${text}\n`).join("");
}

function homeOf({ surroundings: { environment } }: Context): string {
  return environment["HOME"] ?? "~";
}
