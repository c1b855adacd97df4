import { errorCodeName } from "@cistern/protocol";
import { Command as Commander, CommanderError, Option } from "commander";
import { type Command, type Parameter, readValues } from "./commands/command.js";
import { readCount } from "./commands/parameters.js";
import { COMMAND_GROUPS, COMMANDS, type CommandGroup, START_COMMAND } from "./commands/table.js";
import { Context, type GlobalOptions } from "./context.js";
import { refuseDamaged } from "./damaged-arguments.js";
import { ExitStatus, exitStatusOf, UsageError } from "./exit-status.js";
import { factsOf } from "./failure.js";
import { GENERAL_OPTIONS } from "./general-options.js";
import { hintFor } from "./hints.js";
import { OUTPUT_FORMS, writeData } from "./output/data.js";
import { nearestName } from "./output/names.js";
import { printable } from "./output/text.js";
import { columnsOf } from "./output/width.js";
import type { Surroundings } from "./surroundings.js";
import { VERSION } from "./version.js";

const EXAMPLES = `
Examples:
  cistern
  cistern pool-define-as images dir --target /srv/images
  cistern pool-start images --build
  cistern vol-create-as images disk.qcow2 20G --format qcow2
  cistern vol-upload disk.qcow2 ./disk.qcow2 --pool images
  cistern vol-list images --output json
  cistern jobs

The daemon is that of --connect (a URI such as storage:///system, qemu+unix:///system?socket=/path or
storage+ssh://root@host/system, or the path of a socket), else that of --root, else that of CISTERN_URI,
else the cisternd that runs here, else libvirt's default, which LIBVIRT_DEFAULT_URI may name.

Exit status: 0 done, 1 failed (the reason is on standard error) or found what should not be, 2 wrong usage, 3 not found,
4 denied, 5 in use, 130 cancelled.`;

/** Runs one command line (without the program's name) and returns its exit status. Throws nothing. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<ExitStatus> {
  const contexts: Context[] = [];
  const program = buildProgram(surroundings, contexts);
  program.hook("preAction", () => refuseDamaged(args, (count) => surroundings.argumentBytes?.(count) ?? null));
  try {
    await program.parseAsync(args, { from: "user" });
    return contexts.some(({ hasFindings }) => hasFindings) ? ExitStatus.FAILED : ExitStatus.OK;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitStatus.OK : ExitStatus.USAGE;
    report(error, new Context(surroundings, program.opts<GlobalOptions>()));
    return surroundings.signal.aborted ? ExitStatus.CANCELLED : exitStatusOf(error);
  }
}

/** `contexts` gets that of the command that runs. */
function buildProgram(surroundings: Surroundings, contexts: Context[]): Commander {
  const program = new Commander("cistern")
    .description("Manage storage pools and volumes of cisternd, or of any libvirt daemon; alone: how things stand")
    .usage("[options] [command] [arguments]")
    .version(VERSION)
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("(cistern --help shows what there is)")
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "cistern: ")),
      getOutHelpWidth: () => columnsOf(surroundings.stdout),
    });
  for (const option of GENERAL_OPTIONS) program.addOption(generalOption(option));
  const contextOf = (): Context => {
    const context = new Context(surroundings, program.opts<GlobalOptions>());
    contexts.push(context);
    return context;
  };
  program.argument("[command...]").action((words: readonly string[]) => start(words, contextOf()));
  for (const group of COMMAND_GROUPS) {
    for (const command of group.commands) addCommand(program, command, group, contextOf);
  }
  return program;
}

function generalOption(option: (typeof GENERAL_OPTIONS)[number]): Option {
  const { long, help } = option;
  const name = "short" in option ? `-${option.short}, --${long}` : `--${long}`;
  const made = new Option("placeholder" in option ? `${name} <${option.placeholder}>` : name, help);
  if (long === "output") return made.choices(OUTPUT_FORMS).default("text");
  return long === "deadline" ? made.argParser(readCount) : made;
}

function addCommand(program: Commander, command: Command, group: CommandGroup, contextOf: () => Context): void {
  const entry = program.command(command.name).summary(command.summary).description(command.summary);
  entry.copyInheritedSettings(program).helpGroup(`${group.title}:`).usage(synopsis(command)).argument("[words...]");
  const parameters = Object.entries(command.parameters);
  const options = parameters.map(([name, parameter]) => ({ name, option: optionOf(name, parameter) }));
  for (const { option } of options) entry.addOption(option);
  entry.action(async (words: readonly string[], chosen: Readonly<Record<string, string | true>>) => {
    const said = options.map(({ name, option }) => [name, wordsOf(chosen[option.attributeName()])]);
    const context = contextOf();
    await command.run(context, readValues(command, words, Object.fromEntries(said)));
    if (group.endsWithBlankLine && context.endsWithBlankLine) context.print("\n");
  });
}

function optionOf(name: string, { placeholder, help }: Parameter<unknown>): Option {
  const option = new Option(placeholder === null ? `--${name}` : `--${name} <${placeholder}>`, help);
  // To commander "--no-x" is the opposite of "--x"; virsh's are options of their own.
  option.negate = false;
  return option;
}

function wordsOf(chosen: string | true | undefined): readonly string[] | undefined {
  return chosen === undefined ? undefined : [chosen === true ? "" : chosen];
}

/** "<vol> <file> [--pool <string>] [--sparse]", as virsh writes it. */
function synopsis({ parameters }: Command): string {
  const parts = Object.entries(parameters).map(([name, { placeholder, isRequired, takesMany }]) => {
    if (placeholder === null) return `[--${name}]`;
    return isRequired ? `<${name}>${takesMany ? "..." : ""}` : `[--${name} <${placeholder}>]`;
  });
  return parts.join(" ");
}

/** No command: how things stand. A word that is none: which one may be meant. */
async function start(words: readonly string[], context: Context): Promise<void> {
  const [word, second] = words;
  if (word === undefined) return START_COMMAND.run(context, {});
  const names = COMMANDS.map(({ name }) => name);
  const joined = names.find((name) => name === `${word}-${second}`) ?? nearestName(word, names);
  const meant = joined === null || joined === undefined ? "" : `\n(Did you mean ${joined}?)`;
  throw new UsageError(`unknown command '${word}'${meant}`);
}

function report(error: unknown, { surroundings: { stderr }, options }: Context): void {
  const { task, reason, libvirt, subject, cause, ...facts } = factsOf(error);
  const hint = facts.hint ?? (libvirt === null ? null : hintFor(libvirt, subject));
  if (options.output !== "text") {
    const numbers =
      libvirt === null ? {} : { code: libvirt.code, name: errorCodeName(libvirt.code), domain: libvirt.domain };
    const known = { ...(task === null ? {} : { task }), ...(hint === null ? {} : { hint }) };
    stderr.write(writeData({ error: { ...numbers, message: reason, ...known } }, options.output));
    return;
  }
  const lines = reason.trimEnd().split("\n").map(printable);
  if (task !== null) lines[0] = `${printable(task)}: ${lines[0]}`;
  if (cause instanceof UsageError) lines.push("(cistern --help shows what there is)");
  if (hint !== null) lines.push(`hint: ${printable(hint)}`);
  stderr.write(`cistern: ${lines.join("\n")}\n`);
}
