import { createConnection, type Socket } from "node:net";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";

/** Connects to a port. Throws `LibvirtError` (38) when nobody listens, the name is unknown, or not within `timeoutMs`. */
export function connectTcp(host: string, port: number, timeoutMs: number): Promise<Socket> {
  const socket = createConnection({ host, port, noDelay: true });
  return new Promise((resolve, reject) => {
    const fail = (errno: number, more = ""): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = `unable to connect to server at '${host}:${port}'${more}`;
      reject(LibvirtError.system(ErrorDomain.RPC, errno, text));
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
