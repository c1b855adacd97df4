import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import {
  type Command,
  type CommandResult,
  describeFailure,
  type Host,
  HostError,
  type RunOptions,
} from "../../host/index.js";
import type { Job } from "../../jobs/job.js";
import { failure, isErrno } from "./failure.js";

/**
 * Runs a program that has to succeed; gives its standard output. Otherwise 1/0 with the command line, how it ended
 * and what it said. `whenMissing`: the error for a program that is not installed.
 */
export async function runCommand(
  host: Host,
  command: Command,
  options: RunOptions & { readonly whenMissing?: LibvirtError } = {},
): Promise<string> {
  const result = await commandResult(host, command, options);
  if (result.exitStatus === 0) return result.stdout;
  throw commandFailure(result);
}

/** The same where failing is an answer too: fails only where the program did not run to its end. */
export async function commandResult(
  host: Host,
  command: Command,
  { whenMissing, ...options }: RunOptions & { readonly whenMissing?: LibvirtError } = {},
): Promise<CommandResult> {
  try {
    return await host.run(command, options);
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) {
      throw whenMissing ?? failure(thrown, `Cannot find '${command.program}' in path`, ErrorDomain.NONE);
    }
    throw failure(thrown, whyNotRun(thrown, command), ErrorDomain.NONE);
  }
}

/** Of a program that did not end in time, the error has the whole line; its code is said by libvirt's words. */
function whyNotRun(thrown: unknown, { program }: Command): string {
  if (!(thrown instanceof HostError) || thrown.code !== "ETIMEDOUT") return `Cannot run '${program}'`;
  return thrown.message.replace(/: ETIMEDOUT$/, "");
}

/** 1/0 with the command line, how it ended and what it said. */
export function commandFailure(result: CommandResult): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, describeFailure(result));
}

/** How a program runs for a job: it ends with it, and the job knows of it. */
export function jobOptions(job: Job): Pick<RunOptions, "signal" | "started"> {
  return { signal: job.signal, started: (child) => job.child(child) };
}
