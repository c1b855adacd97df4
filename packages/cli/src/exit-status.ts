/** What the shell sees. */
export const ExitStatus = {
  OK: 0,
  /** The server, the connection or a local file said no; the reason is on stderr. */
  FAILED: 1,
  /** The command line is not understood. */
  USAGE: 2,
  /** Ended by Ctrl-C, as shells count it. */
  INTERRUPTED: 130,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** The command line asks for something that makes no sense; nothing was done. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
