import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { GuestError, type GuestOptions } from "./guest.js";

/** The project's directory: three levels up from the source, and as many from where it is compiled to. */
export const PROJECT = resolve(import.meta.dirname, "../../..");
const SCRIPTS = join(PROJECT, "tests/lab/lanes");
const CONSOLE_LINES = 40;

/**
 * The directory through which host and guest speak, /run/lab/job in the guest:
 *
 *   settings, command   what guest-init.sh reads
 *   results/            what the command wants to leave behind
 *   status              the command's exit status
 *   console, lane       what the kernel said, and the program that runs it
 */
export class Job {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static create(lane: string, options: GuestOptions): Job {
    const job = new Job(mkdtempSync(join(tmpdir(), "cistern-lab-")));
    try {
      if (/[\s,:]/.test(job.directory) || /[,:]/.test(PROJECT)) {
        throw new GuestError(
          "not-started",
          `A guest cannot be told of "${job.directory}" and "${PROJECT}": blanks, commas and colons separate options.`,
        );
      }
      job.#write(lane, options);
    } catch (error) {
      job.remove();
      throw error;
    }
    return job;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** The command's exit status, or undefined when the guest never said one. */
  status(): number | undefined {
    if (!existsSync(this.path("status"))) return undefined;
    return Number(readFileSync(this.path("status"), "utf8"));
  }

  /** The last lines of the guest's console and of the program that ran it. */
  lastWords(): string {
    return ["console", "lane"]
      .map((name) => {
        const text = existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8").trimEnd() : "";
        return `--- ${name}\n${text === "" ? "(silent)" : text.split("\n").slice(-CONSOLE_LINES).join("\n")}`;
      })
      .join("\n");
  }

  copyResults(to: string): void {
    // Where even the directory is gone, what became of the guest is the better thing to say.
    if (existsSync(this.path("results"))) cpSync(this.path("results"), to, { recursive: true });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #write(lane: string, options: GuestOptions): void {
    mkdirSync(this.path("results"));
    for (const script of [`${lane}-init.sh`, "guest-init.sh"]) {
      writeFileSync(this.path(script), readFileSync(join(SCRIPTS, script)), { mode: 0o755 });
    }
    const settings = { lane, project: PROJECT, directory: options.directory ?? PROJECT };
    writeFileSync(
      this.path("settings"),
      lines(Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}`)),
    );
    writeFileSync(
      this.path("command"),
      lines([
        ...Object.entries(options.environment ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`),
        `exec ${options.command.map(quote).join(" ")}`,
      ]),
    );
  }
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
