import { Duplex } from "node:stream";

/**
 * Two ends of a connection inside one process: what one end writes the other reads, with the back-pressure of a socket.
 * Both ends of the protocol are tested by it, without any socket.
 */
export function memoryTransport(): readonly [client: Duplex, server: Duplex] {
  const client = new MemoryEnd();
  const server = new MemoryEnd();
  client.connect(server);
  server.connect(client);
  return [client, server];
}

class MemoryEnd extends Duplex {
  #peer: MemoryEnd | null = null;
  /** A write of the peer that waits until this end is read again. */
  #wakePeer: (() => void) | null = null;

  connect(peer: MemoryEnd): void {
    this.#peer = peer;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#peer === null || this.#peer.destroyed) done(new Error("The other end is closed"));
    else this.#peer.#receive(chunk, done);
  }

  override _read(): void {
    const wake = this.#wakePeer;
    this.#wakePeer = null;
    wake?.();
  }

  override _final(done: () => void): void {
    this.#peer?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const wake = this.#wakePeer;
    this.#wakePeer = null;
    wake?.();
    const peer = this.#peer;
    if (peer !== null && !peer.destroyed) setImmediate(() => peer.destroy());
    done(error);
  }

  #receive(chunk: Buffer, done: () => void): void {
    // A copy: over a socket nobody sees what the sender does with its buffer afterwards.
    if (this.push(Buffer.from(chunk))) done();
    else this.#wakePeer = done;
  }
}
