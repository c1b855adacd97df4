import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";

/** Connects to a unix socket. Throws `LibvirtError` (38) when nobody listens, or not within `timeoutMs`. */
export async function connectUnix(socketPath: string, timeoutMs: number): Promise<Duplex> {
  const socket = createConnection({ path: socketPath });
  return new Promise((resolve, reject) => {
    const fail = (errno: number): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(LibvirtError.system(ErrorDomain.REMOTE, errno, `Failed to connect socket to '${socketPath}'`));
    };
    const timer = setTimeout(() => fail(ETIMEDOUT), timeoutMs);
    socket.once("error", (error: NodeJS.ErrnoException) => fail(Math.abs(error.errno ?? ECONNREFUSED)));
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

const ETIMEDOUT = 110;
const ECONNREFUSED = 111;
