import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Requirements } from "../support/requirements.js";

const DEADLINE_MS = 20_000;

/** Debian package bsdutils. */
export const terminalRequirements: Requirements = { programs: ["script"] };

/** A terminal in which a program runs, as a user sees it; disposing of it hangs up, at which programs end. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  /** All that was on the screen, with what moves the cursor. */
  screen = "";

  /** `program`: a line for the shell. */
  constructor(
    program: string,
    settings: { readonly directory?: string; readonly environment?: NodeJS.ProcessEnv } = {},
  ) {
    const { directory, environment = process.env } = settings;
    this.#child = spawn("script", ["--quiet", "--return", "--command", program, "/dev/null"], {
      cwd: directory,
      env: { ...environment, TERM: "dumb" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#exit = once(this.#child, "exit");
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.screen += text;
    });
  }

  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Waits until the screen shows all of these, of which nothing was there at `from`. */
  async shows(texts: readonly string[], from = 0): Promise<string> {
    const shown = () => this.screen.slice(from);
    await this.until(() => texts.every((text) => shown().includes(text)), `the screen to show ${texts.join(", ")}`);
    return shown();
  }

  /** The program's exit status; a shell's count of a signal. */
  async status(): Promise<number | null> {
    await this.until(() => this.#hasEnded, "the program to end");
    return this.#child.exitCode;
  }

  async until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!(await is())) {
      if (Date.now() > deadline) throw new Error(`Waited too long for ${what}: ${JSON.stringify(this.screen)}`);
      await delay(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#child.kill("SIGKILL");
    await this.#exit;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
