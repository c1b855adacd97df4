import { errorCodeName, LibvirtError } from "@cistern/protocol";
import { Command, CommanderError } from "commander";
import { countArgument } from "./commands/arguments.js";
import { addEventsCommand } from "./commands/events.js";
import { addJobCommands } from "./commands/job.js";
import { addPoolCommands } from "./commands/pool.js";
import { addVolumeCommands } from "./commands/volume.js";
import { addVolumeDiskCommand } from "./commands/volume-disk.js";
import { addVolumeInspectCommand } from "./commands/volume-inspect.js";
import { addVolumeTransferCommands } from "./commands/volume-transfer.js";
import { Context, type GlobalOptions, type Surroundings } from "./context.js";
import { ExitStatus, exitStatusOf } from "./exit-status.js";
import { formatJson } from "./output/json.js";
import { printable } from "./output/text.js";
import { VERSION } from "./version.js";

const EXAMPLES = `
Examples:
  cistern pool list
  cistern pool define --name images --directory /srv/images
  cistern pool start images
  cistern volume create images disk.qcow2 20G --format qcow2
  cistern volume upload images disk.qcow2 ./disk.qcow2
  cistern volume list images --json
  cistern job list

Where to connect is said by --connect, else by CISTERN_URI, else by LIBVIRT_DEFAULT_URI: a URI
(storage:///system, storage:///session, qemu+unix:///system?socket=/path, or
storage+ssh://root@host/system for another host) or the path of a socket.
Without any of them it is the daemon of the user if one is running, else that of the system.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage, 3 not found,
4 denied, 5 in use, 130 interrupted.`;

/** Runs one command line (without the program's name) and returns its exit status. Throws nothing. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<ExitStatus> {
  const program = buildProgram(surroundings);
  try {
    await program.parseAsync(args, { from: "user" });
    return ExitStatus.OK;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitStatus.OK : ExitStatus.USAGE;
    report(error, surroundings, program.opts<GlobalOptions>().json === true);
    if (surroundings.signal.aborted) return ExitStatus.INTERRUPTED;
    return exitStatusOf(error);
  }
}

function buildProgram(surroundings: Surroundings): Command {
  const program = new Command("cistern")
    .description("Manage storage pools and volumes of cisternd, or of any libvirt daemon")
    .version(VERSION)
    .option("-c, --connect <uri>", "the daemon: a URI or the path of a socket")
    .option("--json", "print results as JSON")
    .option("-q, --quiet", "print neither progress nor that something was done")
    .option("--timeout <seconds>", "give up after so long without an answer", countArgument)
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("(cistern --help shows what there is)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
    });
  const contextOf = (command: Command): Context => new Context(surroundings, command.optsWithGlobals<GlobalOptions>());
  addPoolCommands(program, contextOf);
  const volume = program.command("volume").description("Show and manage the volumes of a pool");
  addVolumeCommands(volume, contextOf);
  addVolumeTransferCommands(volume, contextOf);
  addVolumeInspectCommand(volume, contextOf);
  addVolumeDiskCommand(program, contextOf);
  addJobCommands(program, contextOf);
  addEventsCommand(program, contextOf);
  for (const command of program.commands) inherit(command, program);
  return program;
}

/** Sub-commands do not take over on their own where errors and help go. */
function inherit(command: Command, from: Command): void {
  command.copyInheritedSettings(from);
  for (const child of command.commands) inherit(child, command);
}

function report(error: unknown, { stderr }: Surroundings, json: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  if (json && error instanceof LibvirtError) {
    const { code, domain } = error;
    stderr.write(`${formatJson({ error: { code, name: errorCodeName(code), domain, message } })}\n`);
  } else if (json) stderr.write(`${formatJson({ error: { message } })}\n`);
  else stderr.write(`cistern: ${message.split("\n").map(printable).join("\n")}\n`);
}
