import { Socket } from "node:net";
import { limits } from "../limits.js";

/** Takes what came, and says whether it keeps any of it beyond the call, or of what came before. */
export type TakeIncoming = (chunk: Uint8Array) => "kept" | "done";

/** What Node's accepted sockets have inside, and its own code (child processes, TLS) moves to other sockets. */
interface WithHandle {
  _handle: object | null;
}

/**
 * Reads an accepted socket into a buffer that is used again. By itself Node makes a new one for every 64 KiB, and frees
 * them by collecting garbage: at the speed of uploads that takes most of a CPU. It has "onread" for this, but only for
 * sockets that it connects; so the connection moves to a socket made with it. While what came is kept, a second buffer
 * takes its place, and the two take turns.
 *
 * `accepted` is to be paused from the start. The socket that is given back stands for it; `accepted` lives as long.
 */
export function readIntoOneBuffer(accepted: Socket, take: TakeIncoming): Socket {
  let buffer: Buffer = Buffer.allocUnsafeSlow(limits.receiveBufferBytes);
  /** The last one that was kept: those before it are left to whoever keeps them. */
  let kept: Buffer | null = null;
  let spare: Buffer | null = null;
  const onread = {
    // Asked for before the first read and after each one.
    buffer: () => buffer,
    callback: (length: number, read: Uint8Array) => {
      const chunk = read.subarray(0, length);
      if (length < limits.copiedReceiveBytes) take(Buffer.from(chunk));
      else if (take(chunk) === "kept") {
        kept = buffer;
        buffer = spare ?? Buffer.allocUnsafeSlow(limits.receiveBufferBytes);
        spare = null;
      } else {
        spare = kept ?? spare;
        kept = null;
      }
      return true;
    },
  };
  const owner = accepted as unknown as WithHandle;
  const handle = owner._handle;
  owner._handle = null;
  const options = { handle, onread, allowHalfOpen: false, readable: true, writable: true };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  // The server counts `accepted` among its connections until then.
  socket.once("close", () => accepted.destroy());
  return socket;
}
