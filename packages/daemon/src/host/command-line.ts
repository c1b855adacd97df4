import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { hostLimits } from "../limits.js";
import type { CommandArgument, CommandResult, Directory, File } from "./host.js";
import { bytesOfName, bytesOfText, hasEscapedBytes } from "./names.js";

/** An argument after its handle was resolved to a descriptor of the process that starts the command. */
export type PreparedArgument = string | { readonly unshown: string } | PreparedHandle;

/** The directory or file that an argument hands over. */
export function handleOf(argument: CommandArgument): Directory | File | null {
  if (typeof argument === "string" || "unshown" in argument) return null;
  return "in" in argument ? argument.in : argument.file;
}

export interface PreparedHandle {
  readonly before: string;
  readonly after: string;
  readonly escapesCommas: boolean;
  /** "entry": `name` in the directory `fd`. "file": the open file `fd`, which the program shall see under `name`. */
  readonly kind: "entry" | "file";
  readonly fd: number;
  readonly name: string;
  /** The path a person would write. */
  readonly shown: string;
}

/** What is started, and how to speak of it. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
  /** In order, the descriptors that the program inherits as 3, 4, … */
  readonly inherited: readonly number[];
  /** The line as a person would type it. */
  readonly line: string;
  /** Puts the paths a person would write in the place of those the program was given. */
  readonly restore: (output: string) => string;
  /** Removes what was made for this command alone. */
  readonly dispose: () => Promise<void>;
}

const firstInherited = 3;

/** Begins the name of a command's own directory. */
export const commandDirectoryPrefix = "command-";

/** `temporaryDirectory`: where the command gets a directory (0700) of its own, if it needs one. */
export async function commandLine(
  program: string,
  args: readonly PreparedArgument[],
  temporaryDirectory: string,
): Promise<CommandLine> {
  const inherited: number[] = [];
  const replacements: { readonly given: string; readonly shown: string }[] = [];
  const given: string[] = [];
  const shown: string[] = [];
  let own: string | null = null;
  const dispose = async () => {
    if (own !== null) await rm(own, { recursive: true, force: true });
  };
  const ownDirectory = async () => {
    own ??= await mkdtemp(`${temporaryDirectory}/${commandDirectoryPrefix}`);
    return own;
  };
  try {
    for (const [index, argument] of args.entries()) {
      if (typeof argument === "string") {
        given.push(argument);
        shown.push(argument);
        continue;
      }
      if ("unshown" in argument) {
        given.push(argument.unshown);
        continue;
      }
      const inheritedAs = `/proc/self/fd/${firstInherited + indexOfDescriptor(inherited, argument.fd)}`;
      let path: string;
      if (argument.kind === "entry") {
        bytesOfName(argument.name);
        path = `${inheritedAs}/${argument.name}`;
      } else {
        const alias = `${await ownDirectory()}/${index}`;
        await mkdir(alias, { mode: 0o700 });
        path = `${alias}/${argument.name}`;
        await symlink(inheritedAs, Buffer.concat([Buffer.from(`${alias}/`), bytesOfName(argument.name)]));
      }
      const inserted = (text: string) => (argument.escapesCommas ? escapeCommas(text) : text);
      // A program speaks of the path that it read, or repeats the argument as it was given.
      for (const form of new Set([path, inserted(path)])) {
        replacements.push({ given: form, shown: form === path ? argument.shown : inserted(argument.shown) });
      }
      given.push(argument.before + inserted(path) + argument.after);
      shown.push(argument.before + inserted(argument.shown) + argument.after);
    }
    // Longest first: "/proc/self/fd/3/ab" must not be taken for "/proc/self/fd/3/a".
    replacements.sort((left, right) => right.given.length - left.given.length);
    return {
      ...(await startable(program, given, ownDirectory)),
      inherited,
      line: [program, ...shown].map(quoteForShell).join(" "),
      restore: (output) => replacements.reduce((text, { given, shown }) => text.replaceAll(given, shown), output),
      dispose,
    };
  } catch (failure) {
    await dispose();
    throw failure;
  }
}

/**
 * Node takes arguments as UTF-8 only. Where one holds other bytes, a shell reads the command line from a file, in which any
 * bytes can stand, and becomes the program.
 */
async function startable(
  program: string,
  args: readonly string[],
  ownDirectory: () => Promise<string>,
): Promise<{ readonly program: string; readonly args: readonly string[] }> {
  if (![program, ...args].some(hasEscapedBytes)) return { program, args };
  const script = `${await ownDirectory()}/script`;
  await writeFile(script, bytesOfText(`exec ${[program, ...args].map(quoteAlways).join(" ")}\n`), { mode: 0o600 });
  return { program: "/bin/sh", args: [script] };
}

/** In an option list of qemu's, a comma that is no separator. */
export function escapeCommas(value: string): string {
  return value.replaceAll(",", ",,");
}

function indexOfDescriptor(inherited: number[], fd: number): number {
  const index = inherited.indexOf(fd);
  return index >= 0 ? index : inherited.push(fd) - 1;
}

const shellUnsafe = /[\r\t\n !"#$&'()*;<>?[\\\]^`{|}~]/;

/** As libvirt prints commands: quoted only where a shell would read it differently. */
function quoteForShell(argument: string): string {
  return argument !== "" && !shellUnsafe.test(argument) ? argument : quoteAlways(argument);
}

function quoteAlways(argument: string): string {
  return `'${argument.replaceAll("'", "'\\''")}'`;
}

/** libvirt's text for a command that failed; of a long story, the beginning and the end. */
export function describeFailure(result: Pick<CommandResult, "line" | "exitStatus" | "signal" | "stderr">): string {
  const outcome =
    result.exitStatus !== null
      ? `exit status ${result.exitStatus}`
      : `fatal signal ${signalNumber(result.signal) ?? result.signal}`;
  return `Child process (${result.line}) unexpected ${outcome}${result.stderr === "" ? "" : `: ${shortened(result.stderr)}`}`;
}

function shortened(text: string): string {
  const most = hostLimits.failureTextLength;
  if (text.length <= most) return text;
  const half = Math.floor((most - 1) / 2);
  // Half of a surrogate pair is no character.
  const start = text.slice(0, half).replace(/[\ud800-\udbff]$/, "");
  const end = text.slice(-half).replace(/^[\udc00-\udfff]/, "");
  return `${start}…${end}`;
}

function signalNumber(name: string | null): number | undefined {
  return name === null ? undefined : new Map<string, number>(Object.entries(constants.signals)).get(name);
}
