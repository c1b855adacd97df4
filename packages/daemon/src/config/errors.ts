/**
 * How the daemon ends. `inUse` is apart from `failure`, because a service manager should not try again at once when
 * another daemon manages the same storage.
 */
export const exitStatus = { clean: 0, failure: 1, usage: 2, inUse: 3 } as const;

/** The command line cannot be understood. The message is a sentence for the person who typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly exitStatus = exitStatus.usage;

  constructor(sentence: string) {
    super(`${sentence} See cisternd --help.`);
  }
}

/** The configuration file, or a place it or the command line names, cannot be used. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly exitStatus = exitStatus.usage;
}

/** Another process manages this storage already, or listens where this daemon would. */
export class InUseError extends Error {
  override readonly name = "InUseError";
  readonly exitStatus = exitStatus.inUse;
}

/** The exit status for anything thrown while the daemon starts or runs. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigurationError || error instanceof InUseError) {
    return error.exitStatus;
  }
  return exitStatus.failure;
}

/** The reason in words an administrator knows, without Node's "ENOENT: …, open '…'" around it. */
export function reasonOf(error: unknown): string {
  return REASONS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

/** ENOENT, EACCES, …; empty for what is not a system error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EISDIR: "it is a directory",
  ENOTDIR: "a component of the path is not a directory",
  ELOOP: "there are too many symbolic links on the way",
  ENOENT: "it does not exist",
  ENAMETOOLONG: "the path is too long",
};
