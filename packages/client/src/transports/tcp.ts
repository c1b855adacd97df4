import { createConnection, type Socket } from "node:net";
import { ErrorDomain } from "@cistern/protocol";
import { connected, type Patience } from "./connected.js";

/** Connects to a port. Throws `LibvirtError` (38) when nobody listens, the name is unknown, or not in time. */
export function connectTcp(host: string, port: number, patience: Patience): Promise<Socket> {
  const what = `unable to connect to server at '${host}:${port}'`;
  return connected(createConnection({ host, port, noDelay: true }), what, ErrorDomain.RPC, patience);
}
