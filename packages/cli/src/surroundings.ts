import { setMaxListeners } from "node:events";
import { type Connection, type ConnectOptions, connect } from "@cistern/client";

/** The world as a command sees it; tests give their own. */
export interface Surroundings {
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly stdin: NodeJS.ReadableStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userId: number;
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
  /** The bytes of the last `count` arguments, which are the command line; null or absent: nobody can tell. */
  argumentBytes?(count: number): readonly Buffer[] | null;
  connect(target: string, options: ConnectOptions): Promise<Connection>;
}

export function realSurroundings(signal: AbortSignal): Surroundings {
  // Every call that is under way listens, and a listing makes several for each of its rows.
  setMaxListeners(0, signal);
  const { stdout, stderr, stdin, env } = process;
  return { stdout, stderr, stdin, environment: env, userId: process.getuid?.() ?? 0, signal, connect };
}
