import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Requirements } from "../support/requirements.js";
import { CISTERN } from "./cistern.js";
import { Terminal, terminalRequirements } from "./terminal.js";

/** How a shell is started without anybody's settings. */
const STARTED = {
  bash: "bash --noprofile --norc -i",
  zsh: "zsh -f -i",
  fish: "fish --no-config -i",
} as const;

export type Shell = keyof typeof STARTED;
export const SHELLS = Object.keys(STARTED) as Shell[];

/** Debian packages bash, zsh and fish. */
export const shellRequirements: Requirements = { programs: [...(terminalRequirements.programs ?? []), ...SHELLS] };

/**
 * A shell on a terminal, as a user has it, in which keys are pressed. Its `cistern` is the real one where it is asked for
 * completions; else it writes down which words it was given.
 */
export class InteractiveShell implements AsyncDisposable {
  readonly #terminal: Terminal;
  readonly #record: string;

  private constructor(terminal: Terminal, record: string) {
    this.#terminal = terminal;
    this.#record = record;
  }

  /** In `directory`, which is its home too. `install` is what its user would have in its settings. */
  static async start(
    shell: Shell,
    directory: string,
    install: string,
    environment: NodeJS.ProcessEnv,
  ): Promise<InteractiveShell> {
    const programs = join(directory, "bin");
    const record = join(directory, "words");
    await mkdir(programs, { recursive: true });
    await writeFile(join(programs, "cistern"), wrapper(record));
    await chmod(join(programs, "cistern"), 0o755);
    const own = { PATH: `${programs}:/usr/bin:/bin`, HOME: directory, LANG: "C.UTF-8" };
    const terminal = new Terminal(STARTED[shell], { directory, environment: { ...own, ...environment } });
    const started = new InteractiveShell(terminal, record);
    try {
      terminal.press(`${install}; cistern ready\r`);
      await started.#words();
    } catch (error) {
      await terminal[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** The words that `cistern` is given when Enter is pressed after these keys. */
  async complete(keys: string): Promise<string[]> {
    this.#terminal.press(`${keys}\r`);
    return this.#words();
  }

  /** Waits until the screen shows all of `wanted` after these keys; what is typed then is run. */
  async shows(keys: string, wanted: readonly string[]): Promise<string> {
    const from = this.#terminal.screen.length;
    this.#terminal.press(keys);
    const shown = await this.#terminal.shows(wanted, from);
    this.#terminal.press("\r");
    await this.#words();
    return shown;
  }

  async #words(): Promise<string[]> {
    let words = "";
    await this.#terminal.until(async () => {
      words = await readFile(this.#record, "utf8").catch(() => "");
      return words !== "";
    }, "cistern to be run");
    await rm(this.#record);
    return words.split("\0").slice(0, -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#terminal[Symbol.asyncDispose]();
  }
}

function wrapper(record: string): string {
  return `#!/bin/sh
if [ "$1" = completion ]; then exec '${process.execPath}' '${CISTERN}' "$@"; fi
printf '%s\\0' "$@" >'${record}.new' && mv '${record}.new' '${record}'
`;
}
