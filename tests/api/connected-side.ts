import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { sides } from "./sides.js";

/** A daemon that runs for all tests of a group, and a connection to it for each of them. */
export interface ConnectedSide {
  /** The daemon's directory, in which tests may lay theirs. */
  readonly root: string;
  readonly connection: Connection;
}

/**
 * Starts a daemon for the group of tests in which it is called, and ends it after them; where there is none they are skipped. `tidy` takes
 * away what a test left at the daemon.
 */
export function connectedSide(
  { prepare, unavailable, driver }: (typeof sides)[number],
  tidy: (connection: Connection) => Promise<void>,
): ConnectedSide {
  let root: string;
  let side: Awaited<ReturnType<typeof prepare>>;
  let connection: Connection;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    // Short: a socket's path has its limit.
    root = await mkdtemp(join(tmpdir(), "ap-"));
    side = await prepare(root);
    await side.daemon.start();
  });
  beforeEach(async ({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
    connection = await connect(`${driver}+unix:///system?socket=${side.socket}`);
  });
  afterEach(async () => {
    if (unavailable !== undefined) return;
    await tidy(connection);
    await connection.close();
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    await side.close();
    await rm(root, { recursive: true, force: true });
  });
  return {
    get root() {
      return root;
    },
    get connection() {
      return connection;
    },
  };
}
