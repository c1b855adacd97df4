import type { CallOptions, Connection } from "@cistern/client";
import { encodeUtf8 } from "@cistern/protocol";
import { credentialsFor } from "./login.js";
import { type OutputForm, writeData, writeRecord } from "./output/data.js";
import { printable } from "./output/text.js";
import type { Surroundings } from "./surroundings.js";
import { targetOf } from "./target.js";

export interface GlobalOptions {
  readonly connect?: string;
  readonly root?: string;
  readonly output: OutputForm;
  readonly deadline?: number;
  readonly quiet?: boolean;
}

/** What every command is handed: where to connect, and how to say what was found. */
export class Context {
  readonly surroundings: Surroundings;
  readonly options: GlobalOptions;
  #printsContents = false;
  #hasFindings = false;

  constructor(surroundings: Surroundings, options: GlobalOptions) {
    this.surroundings = surroundings;
    this.options = options;
  }

  /** Connects, does `work`, and closes whatever happened. */
  async withConnection<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const { surroundings, target } = this;
    const credentials = credentialsFor(target, surroundings);
    const connection = await surroundings.connect(target, { readOnly: false, credentials, ...this.call });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }

  /** The daemon that the command is for, as it was named. */
  get target(): string {
    return targetOf(this.options, this.surroundings);
  }

  /** For calls: they end with the user's patience. */
  get call(): CallOptions {
    return { signal: this.surroundings.signal, ...this.patience };
  }

  /** For calls that go on although the user wants to stop: those that tidy up. */
  get patience(): { timeoutMs?: number } {
    return this.options.deadline === undefined ? {} : { timeoutMs: this.options.deadline * 1000 };
  }

  get isText(): boolean {
    return this.options.output === "text";
  }

  get isQuiet(): boolean {
    return this.options.quiet === true;
  }

  /** Whether what was printed may be followed by a blank line, as virsh does it. */
  get endsWithBlankLine(): boolean {
    return this.isText && !this.isQuiet && !this.#printsContents;
  }

  /** Standard output takes a volume's bytes, and nothing else. */
  printContents(): NodeJS.WritableStream {
    this.#printsContents = true;
    return this.surroundings.stdout;
  }

  /** What was asked for is what should not be: scripts see it by the exit status, people by what is printed. */
  endWithFindings(): void {
    this.#hasFindings = true;
  }

  get hasFindings(): boolean {
    return this.#hasFindings;
  }

  print(text: string): void {
    this.surroundings.stdout.write(encodeUtf8(text));
  }

  /** A document, with the bytes of its names as they are. */
  printDocument(xml: string): void {
    this.print(xml.endsWith("\n") ? xml : `${xml}\n`);
  }

  /** One name or path on a line of its own: as it is for scripts, without what could command a terminal. */
  printName(name: string, data: unknown): void {
    this.printResult(data, () => `${this.surroundings.stdout.isTTY === true ? printable(name) : name}\n`);
  }

  /** `text()`, or `data` where JSON or YAML is wanted. */
  printResult(data: unknown, text: () => string): void {
    this.print(this.options.output === "text" ? text() : writeData(data, this.options.output));
  }

  /** One of many results that come one after the other: a line, a JSON object on a line, a YAML document. */
  printRecord(data: unknown, text: () => string): void {
    this.print(this.options.output === "text" ? text() : writeRecord(data, this.options.output));
  }

  /** That something was done: a line, which `--quiet` leaves out, or `data`. */
  printDone(text: string, data: unknown): void {
    if (this.isText && this.isQuiet) return;
    this.printRecord(data, () => `${text}\n`);
  }
}
