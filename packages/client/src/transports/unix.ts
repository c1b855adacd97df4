import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { ErrorDomain } from "@cistern/protocol";
import { connected, type Patience } from "./connected.js";

/** Connects to a unix socket. Throws `LibvirtError` (38) when nobody listens, or not in time. */
export function connectUnix(socketPath: string, patience: Patience): Promise<Duplex> {
  const what = `Failed to connect socket to '${socketPath}'`;
  return connected(createConnection({ path: socketPath }), what, ErrorDomain.REMOTE, patience);
}
