import { createConnection, type Socket } from "node:net";
import { hostError, hostErrorFrom } from "./errors.js";

/** A connected socket, as Node has it. */
export type LocalSocket = Socket;

/**
 * Connects to the unix socket of another daemon of this host.
 * @throws HostError: ENOENT, ECONNREFUSED, EACCES …, ETIMEDOUT after `timeoutMs`
 */
export function connectLocalSocket(path: string, timeoutMs: number): Promise<LocalSocket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const fail = (error: Error): void => {
      clearTimeout(deadline);
      socket.destroy();
      reject(hostErrorFrom(error));
    };
    const deadline = setTimeout(() => fail(hostError("ETIMEDOUT", `connecting to '${path}'`)), timeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(deadline);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}
