import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Requirements } from "../support/requirements.js";
import { CISTERN } from "./cistern.js";

const DEADLINE_MS = 20_000;

/** How a shell is started without anybody's settings. */
const STARTED = {
  bash: "bash --noprofile --norc -i",
  zsh: "zsh -f -i",
  fish: "fish --no-config -i",
} as const;

export type Shell = keyof typeof STARTED;
export const SHELLS = Object.keys(STARTED) as Shell[];

/** Debian packages bsdutils (script), bash, zsh and fish. */
export const shellRequirements: Requirements = { programs: ["script", ...SHELLS] };

/**
 * A shell on a terminal, as a user has it, in which keys are pressed. Its `cistern` is the real one where it is asked for
 * completions; else it writes down which words it was given.
 */
export class InteractiveShell implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #record: string;
  /** All that was on the screen, with what moves the cursor. */
  #screen = "";

  private constructor(child: ChildProcess, record: string) {
    this.#child = child;
    this.#record = record;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#screen += text;
    });
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
    const child = spawn("script", ["--quiet", "--command", STARTED[shell], "/dev/null"], {
      cwd: directory,
      env: {
        PATH: `${programs}:/usr/bin:/bin`,
        HOME: directory,
        LANG: "C.UTF-8",
        TERM: "dumb",
        ...environment,
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    const started = new InteractiveShell(child, record);
    try {
      started.#press(`${install}; cistern ready\r`);
      await started.#words();
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** The words that `cistern` is given when Enter is pressed after these keys. */
  async complete(keys: string): Promise<string[]> {
    this.#press(`${keys}\r`);
    return this.#words();
  }

  /** Waits until the screen shows all of `wanted` after these keys; what is typed then is run. */
  async shows(keys: string, wanted: readonly string[]): Promise<string> {
    const from = this.#screen.length;
    const shown = () => this.#screen.slice(from);
    this.#press(keys);
    await this.#until(() => wanted.every((text) => shown().includes(text)), `the screen to show ${wanted.join(", ")}`);
    this.#press("\r");
    await this.#words();
    return shown();
  }

  #press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  async #words(): Promise<string[]> {
    let words: string | null = null;
    await this.#until(async () => {
      words = await readFile(this.#record, "utf8").catch(() => null);
      return words !== null;
    }, "cistern to be run");
    await rm(this.#record);
    return String(words).split("\0").slice(0, -1);
  }

  async #until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!(await is())) {
      if (Date.now() > deadline) throw new Error(`Waited too long for ${what}: ${JSON.stringify(this.#screen)}`);
      await delay(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    // The shell loses its terminal with it, and ends.
    this.#child.kill("SIGKILL");
    await ended;
  }
}

function wrapper(record: string): string {
  return `#!/bin/sh
if [ "$1" = completion ]; then exec '${process.execPath}' '${CISTERN}' "$@"; fi
printf '%s\\0' "$@" >'${record}.new' && mv '${record}.new' '${record}'
`;
}
