import type { Socket } from "node:net";
import { type ErrorDomain, LibvirtError } from "@cistern/protocol";

/**
 * Waits for a socket's connection. 38 when nobody listens, the name is unknown, or not within `timeoutMs`.
 *
 * @param what the error's sentence: "unable to connect to server at 'host:1'"
 */
export function connected(socket: Socket, what: string, domain: ErrorDomain, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (errno: number, more = ""): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(LibvirtError.system(domain, errno, `${what}${more}`));
    };
    const timer = setTimeout(() => fail(ETIMEDOUT), timeoutMs);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // An unknown name has no number of the system's.
      const isSystem = error.syscall === "connect" && error.errno !== undefined;
      fail(isSystem ? Math.abs(error.errno ?? 0) : ENXIO, isSystem ? "" : ` (${error.message})`);
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

const ENXIO = 6;
const ETIMEDOUT = 110;
