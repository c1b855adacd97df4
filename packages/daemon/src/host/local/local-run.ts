import { handleOf, type PreparedArgument } from "../command-line.js";
import { hostError } from "../errors.js";
import type { Command, CommandArgument, CommandResult, RunOptions } from "../host.js";
import { joinPath } from "../names.js";
import { type RunSurroundings, runCommand } from "../run.js";
import { LocalDirectory } from "./local-directory.js";
import { LocalFile } from "./local-file.js";

/** Runs a command whose handles are all of this process; they stay open until it has ended. */
export async function localRun(
  command: Command,
  options: RunOptions | undefined,
  surroundings: RunSurroundings,
): Promise<CommandResult> {
  const releases: (() => void)[] = [];
  try {
    const args = command.args.map((argument) => prepared(argument, releases));
    return await runCommand({ ...command, args }, options, surroundings);
  } finally {
    for (const release of releases) release();
  }
}

function prepared(argument: CommandArgument, releases: (() => void)[]): PreparedArgument {
  if (typeof argument === "string" || "unshown" in argument) return argument;
  const { before = "", after = "", escapesCommas = false, name } = argument;
  const handle = handleOf(argument);
  if (!(handle instanceof LocalDirectory) && !(handle instanceof LocalFile))
    throw hostError("EBADF", `"${name}" is open elsewhere`);
  const { fd, release } = handle.hold();
  releases.push(release);
  const placed = { before, after, escapesCommas, fd, name };
  if ("in" in argument) return { ...placed, kind: "entry", shown: joinPath(handle.path, name) };
  return { ...placed, kind: "file", shown: handle.path };
}
