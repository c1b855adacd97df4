import type { Duplex } from "node:stream";
import { Connection } from "./connection.js";
import { givenUp } from "./giving-up.js";
import { LIMITS } from "./limits.js";
import type { ConnectOptions } from "./opening.js";
import { connectSsh } from "./transports/ssh.js";
import { connectTcp } from "./transports/tcp.js";
import { connectTls } from "./transports/tls.js";
import { connectUnix } from "./transports/unix.js";
import { type Endpoint, resolveEndpoint } from "./uri.js";

/**
 * Connects to a storage daemon by a URI or a socket's path (see `resolveEndpoint`), authenticates and opens.
 * Throws `LibvirtError`: 5 for a target that cannot be used, 38 when nobody listens, 78 when `signal` aborts, else what the
 * server answers.
 */
export async function connect(target: string, options: ConnectOptions = {}): Promise<Connection> {
  const endpoint = resolveEndpoint(target, { readOnly: options.readOnly, libvirtOnly: options.libvirtOnly });
  if (options.signal?.aborted === true) throw givenUp("Connecting");
  const peer = endpoint.way.transport === "unix" ? endpoint.way.socketPath : target;
  const transport = await transportBy(endpoint.way, options);
  return Connection.open(transport, endpoint.openName, options, peer, endpoint.login);
}

function transportBy(way: Endpoint["way"], { timeoutMs: saidMs, signal }: ConnectOptions): Promise<Duplex> {
  const timeoutMs = saidMs === undefined ? undefined : Math.min(saidMs, LIMITS.longestTimeoutMs);
  const patience = { timeoutMs: timeoutMs ?? LIMITS.connectTimeoutMs, signal };
  switch (way.transport) {
    case "unix":
      return connectUnix(way.socketPath, patience);
    case "ssh":
      return connectSsh(way.target, { timeoutMs, signal });
    case "tcp":
      return connectTcp(way.host, way.port, patience);
    case "tls":
      return connectTls(way.target, patience);
  }
}
