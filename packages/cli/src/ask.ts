import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Cancelled } from "./exit-status.js";
import type { Surroundings } from "./surroundings.js";

type Asked = Pick<Surroundings, "stdin" | "stderr" | "signal">;

/** Whether somebody sits there who can be asked. */
export function canAsk({ stdin }: Pick<Surroundings, "stdin">): boolean {
  return (stdin as NodeJS.ReadStream).isTTY === true;
}

/**
 * One line of standard input. On a terminal it is asked for by `prompt`, and shown while it is typed only where it `isShown`.
 * Throws `Cancelled` for Ctrl-C, and an error where there is no line.
 */
export async function askForLine(
  surroundings: Asked,
  prompt: string,
  { isShown }: { isShown: boolean },
): Promise<string> {
  const { stdin, stderr, signal } = surroundings;
  const isTerminal = canAsk(surroundings);
  const silence = new Writable({ write: (_chunk, _encoding, written) => written() });
  const lines = createInterface({
    input: stdin,
    output: isTerminal && isShown ? stderr : silence,
    terminal: isTerminal,
  });
  // Only now is nothing shown of what is typed.
  if (isTerminal) {
    lines.setPrompt(prompt);
    if (isShown) lines.prompt();
    else stderr.write(prompt);
  }
  let isCancelled = false;
  const leave = (): void => lines.close();
  // In raw mode Ctrl-C is a key like others.
  lines.once("SIGINT", () => {
    isCancelled = true;
    leave();
  });
  signal.addEventListener("abort", leave, { once: true });
  try {
    for await (const line of lines) return line;
    throw isCancelled ? new Cancelled("no value was given") : new Error("no value was given");
  } finally {
    signal.removeEventListener("abort", leave);
    lines.close();
    if (isTerminal && !isShown) stderr.write("\n");
  }
}
