import type { Socket } from "node:net";
import { type ErrorDomain, LibvirtError } from "@cistern/protocol";
import { givenUp, watchSignal } from "../giving-up.js";

/** How long to wait for a connection. */
export interface Patience {
  readonly timeoutMs: number;
  /** Ends it, with 78. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for a socket's connection. 38 when nobody listens, the name is unknown, or not in time.
 *
 * @param what the error's sentence: "unable to connect to server at 'host:1'"
 */
export function connected(
  socket: Socket,
  what: string,
  domain: ErrorDomain,
  { timeoutMs, signal }: Patience,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const stopWaiting = (): void => {
      clearTimeout(timer);
      stopWatching();
    };
    const fail = (error: LibvirtError): void => {
      stopWaiting();
      socket.destroy();
      reject(error);
    };
    const failBy = (errno: number, more = ""): void => fail(LibvirtError.system(domain, errno, `${what}${more}`));
    const timer = setTimeout(() => failBy(ETIMEDOUT), timeoutMs);
    const stopWatching = watchSignal(signal, () => fail(givenUp("Connecting")));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // A name with several addresses fails with an error for each.
      const { syscall, errno, message } = error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error;
      // An unknown name has no number of the system's.
      const isSystem = syscall === "connect" && errno !== undefined;
      failBy(isSystem ? Math.abs(errno) : ENXIO, isSystem ? "" : ` (${message})`);
    });
    socket.once("connect", () => {
      stopWaiting();
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

const ENXIO = 6;
const ETIMEDOUT = 110;
