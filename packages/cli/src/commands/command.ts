import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";

/**
 * The command table's form. What commander parses, what `--help` prints and what the shells complete is all made of it, so
 * a command is added by these steps and no other:
 *
 * 1. `export const poolName = command({ name: "pool-name", … })` in a file of its noun beside this one.
 * 2. its name in the list of its group in `table.ts`.
 * 3. a row in docs/reference/cistern.md.
 *
 * Names, their order and which are required are virsh's where virsh has the command.
 */
export interface Command<Parameters extends ParameterTable = ParameterTable> {
  readonly name: string;
  /** One line, for the list of all commands. */
  readonly summary: string;
  /** In the order in which words without a name fill them. */
  readonly parameters: Parameters;
  run(context: Context, values: ValuesOf<Parameters>): Promise<void>;
}

export type ParameterTable = Readonly<Record<string, Parameter<unknown>>>;
export type ValuesOf<Parameters extends ParameterTable> = {
  readonly [Name in keyof Parameters]: Parameters[Name] extends Parameter<infer Value> ? Value : never;
};

/** What can stand in a parameter's place, for the shell: names that the daemon is asked for (a place is POOL/VOL), files, or fixed words. */
export type Completion = "pools" | "volumes" | "places" | "domains" | "secrets" | "jobs" | "files" | readonly string[];

/** `--name VALUE`, or the value alone in its place; flags are only ever named. */
export interface Parameter<Value> {
  readonly help: string;
  /** How the value is called in the synopsis; null: a flag, which has none. */
  readonly placeholder: string | null;
  readonly isRequired: boolean;
  /** Never filled by a word alone. */
  readonly isNamedOnly: boolean;
  /** Takes all words that no other parameter needs. */
  readonly takesMany: boolean;
  readonly completes: Completion | null;
  /** From what was said for it, which may be nothing. Throws `UsageError`. */
  read(words: readonly string[]): Value;
}

/** A command whose `run` gets values of the types that its parameters have. */
export function command<Parameters extends ParameterTable>(spec: Command<Parameters>): Command {
  return spec;
}

/**
 * What was said for each parameter: by name in `named`, else by the words in their order.
 * Throws `UsageError` for what is missing and for words that are left.
 */
export function readValues(
  { name: command, parameters }: Command,
  words: readonly string[],
  named: Readonly<Record<string, readonly string[] | undefined>>,
): ValuesOf<ParameterTable> {
  const left = [...words];
  const said = new Map<string, readonly string[]>();
  for (const [name, parameter] of Object.entries(parameters)) {
    const own = named[name] ?? (parameter.isNamedOnly ? [] : left.splice(0, 1));
    if (own.length === 0 && parameter.isRequired)
      throw new UsageError(`command '${command}' requires <${name}> option`);
    said.set(name, own);
  }
  const many = Object.entries(parameters).find(([, { takesMany }]) => takesMany)?.[0];
  if (many !== undefined) said.set(many, [...(said.get(many) ?? []), ...left.splice(0)]);
  if (left.length > 0) throw new UsageError(`unexpected data '${left[0]}'`);
  const values = Object.entries(parameters).map(([name, { read }]) => [name, read(said.get(name) ?? [])]);
  return Object.fromEntries(values) as ValuesOf<ParameterTable>;
}
