import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { ErrorDomain } from "@cistern/protocol";
import { connected } from "./connected.js";

/** Connects to a unix socket. Throws `LibvirtError` (38) when nobody listens, or not within `timeoutMs`. */
export function connectUnix(socketPath: string, timeoutMs: number): Promise<Duplex> {
  const what = `Failed to connect socket to '${socketPath}'`;
  return connected(createConnection({ path: socketPath }), what, ErrorDomain.REMOTE, timeoutMs);
}
