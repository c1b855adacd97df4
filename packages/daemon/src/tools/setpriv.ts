import type { Command } from "../host/host.js";

export type Right = "read" | "write" | "search";

const OPERATORS: Readonly<Record<Right, string>> = { read: "-r", write: "-w", search: "-x" };

/** Whom to ask for. */
export interface Account {
  readonly userId: number;
  /** Its own first. */
  readonly groupIds: readonly number[];
}

/**
 * Asks the kernel as another user, so that access lists count. Exit status 0: it may; 1: it may not, or nothing is there; 127:
 * this process may not become somebody else.
 */
export function testRight(path: string, right: Right, { userId, groupIds }: Account): Command {
  const identity = [`--reuid=${userId}`, `--regid=${groupIds[0] ?? userId}`, `--groups=${groupIds.join()}`];
  return { program: "setpriv", args: [...identity, "--", "test", OPERATORS[right], path] };
}
