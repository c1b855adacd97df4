import type { Command, Completion, Parameter } from "../commands/command.js";

/** What is known of a command line whose last word is being typed. */
export interface Typed {
  /** Of the general options, what was said for each by its long name. */
  readonly general: Readonly<Record<string, string>>;
  /** What may stand where the last word stands. */
  readonly expects: Expectation;
  /** What was said for the command's parameters so far. */
  readonly said: Readonly<Record<string, string>>;
  /** The beginning of the last word: of the value that is expected, where one is. */
  readonly prefix: string;
  /** What stands before that in the last word: "--pool=", or nothing. */
  readonly before: string;
}

export type Expectation =
  | { readonly kind: "commands" }
  | { readonly kind: "options"; readonly command: Command | null }
  | { readonly kind: "values"; readonly completion: Completion | null };

/** A general option, as far as completion needs it. */
export interface GeneralOption {
  readonly long: string;
  readonly short?: string;
  readonly help: string;
  readonly takesValue: boolean;
  readonly completes?: Completion;
}

/** Understands the words of a command line (without the program's name) as the shell hands them over; the last is being typed. */
export function readTyped(
  words: readonly string[],
  commands: readonly Command[],
  options: readonly GeneralOption[],
): Typed {
  const last = words.at(-1) ?? "";
  const state = new Reading(commands, options);
  for (const word of words.slice(0, -1)) state.take(word);
  const before = state.openIn(last);
  const prefix = last.slice(before.length);
  return { general: state.general, said: state.said, prefix, before, expects: state.expectation(prefix) };
}

class Reading {
  readonly general: Record<string, string> = {};
  readonly said: Record<string, string> = {};
  readonly #commands: readonly Command[];
  readonly #options: readonly GeneralOption[];
  #command: Command | null = null;
  /** The option whose value comes next. */
  #open: {
    readonly into: Record<string, string>;
    readonly name: string;
    readonly completion: Completion | null;
  } | null = null;
  #areOptionsOver = false;

  constructor(commands: readonly Command[], options: readonly GeneralOption[]) {
    this.#commands = commands;
    this.#options = options;
  }

  take(word: string): void {
    if (this.#open !== null) {
      this.#open.into[this.#open.name] = word;
      this.#open = null;
    } else if (this.#areOptionsOver || !word.startsWith("-") || word === "-") this.#takeWord(word);
    else if (word === "--") this.#areOptionsOver = true;
    else {
      const before = optionBefore(word);
      this.#takeOption(before === "" ? word : before.replace(/=$/, ""));
      if (before !== "" && this.#open !== null) this.take(word.slice(before.length));
    }
  }

  /** Takes an option that stands in the last word together with its value ("--pool=im", "-c/run"): the part before the value. */
  openIn(last: string): string {
    const before = this.#open === null && !this.#areOptionsOver ? optionBefore(last) : "";
    if (before !== "") this.#takeOption(before.replace(/=$/, ""));
    return this.#open === null ? "" : before;
  }

  expectation(prefix: string): Expectation {
    if (this.#open !== null) return { kind: "values", completion: this.#open.completion };
    if (prefix.startsWith("-") && !this.#areOptionsOver) return { kind: "options", command: this.#command };
    if (this.#command === null) return { kind: "commands" };
    const next = this.#next() ?? this.#parameters().find(([, { takesMany }]) => takesMany);
    return { kind: "values", completion: next?.[1].completes ?? null };
  }

  #takeWord(word: string): void {
    if (this.#command === null) this.#command = this.#commands.find(({ name }) => name === word) ?? null;
    else {
      const next = this.#next();
      if (next !== undefined) this.said[next[0]] = word;
    }
  }

  #takeOption(word: string): void {
    const own = this.#parameters().find(([name]) => word === `--${name}`);
    if (own !== undefined) {
      const [name, { placeholder, completes }] = own;
      if (placeholder === null) this.said[name] = "";
      else this.#open = { into: this.said, name, completion: completes };
      return;
    }
    const general = this.#options.find(({ long, short }) => word === `--${long}` || word === `-${short}`);
    if (general?.takesValue !== true) return;
    this.#open = { into: this.general, name: general.long, completion: general.completes ?? null };
  }

  /** The parameter that a word alone would fill. */
  #next(): readonly [string, Parameter<unknown>] | undefined {
    return this.#parameters().find(([name, { isNamedOnly }]) => !isNamedOnly && this.said[name] === undefined);
  }

  #parameters(): readonly (readonly [string, Parameter<unknown>])[] {
    return Object.entries(this.#command?.parameters ?? {});
  }
}

/** "--name=" of "--name=value", "-n" of "-nvalue"; nothing where a value is not in the same word. */
function optionBefore(word: string): string {
  return /^(--[^=]+=|-[^-](?=.))/s.exec(word)?.[0] ?? "";
}
