import { completionLines } from "../completion/candidates.js";
import { COMPLETION_SCRIPTS } from "../completion/scripts.js";
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
      shell: choice('which shell; "words" is what the shells ask themselves', [...SHELLS, "words"]),
      words: optionalTexts("the command line so far; its last word is completed"),
    },
    async run(context, { shell, words }) {
      if (shell !== "words") return context.print(COMPLETION_SCRIPTS[shell]);
      const lines = await completionLines(context, words, all(), GENERAL_OPTIONS);
      context.print(lines.map((line) => `${line}\n`).join(""));
    },
  });
}
