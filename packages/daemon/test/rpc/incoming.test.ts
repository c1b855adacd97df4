import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { readIntoOneBuffer } from "../../dist/rpc/incoming.js";
import { scratchDirectory } from "../host/support.ts";

const root = scratchDirectory();
/** More than is copied out of the buffer at once, and what one read takes whole. */
const CHUNK_BYTES = 32_768;

/** A chunk as it was seen, and as a copy from that moment. */
interface Seen {
  readonly chunk: Uint8Array;
  readonly copy: Buffer;
}

it("keeps what is kept as it came, and uses the same two buffers again", async () => {
  const server = createServer({ pauseOnConnect: true }).listen(`${root}/socket`);
  const accepted = once(server, "connection");
  const client = connect(`${root}/socket`);
  const seen: Seen[] = [];
  const verdicts: ("kept" | "done")[] = [];
  const [connection] = (await accepted) as [Socket];
  const socket = readIntoOneBuffer(connection, (chunk) => {
    seen.push({ chunk, copy: Buffer.from(chunk) });
    return verdicts.shift() ?? "done";
  });
  socket.resume();
  let sent = 0;
  const send = async (...next: ("kept" | "done")[]): Promise<void> => {
    for (const verdict of next) {
      verdicts.push(verdict);
      client.write(Buffer.alloc(CHUNK_BYTES, ++sent));
      await expect.poll(() => seen.reduce((sum, { copy }) => sum + copy.length, 0)).toBe(sent * CHUNK_BYTES);
    }
  };
  try {
    await send("kept", "kept");
    // Nothing has said yet that these are not needed any more.
    for (const { chunk, copy } of seen) expect(Buffer.compare(chunk, copy)).toBe(0);
    await send("done");
    seen.length = 0;
    sent = 0;
    await send("kept", "done", "kept", "done", "kept", "done");
    expect(new Set(seen.map(({ chunk }) => chunk.buffer)).size).toBe(2);
    const last = seen.at(-2);
    expect(last === undefined ? null : Buffer.compare(last.chunk, last.copy)).toBe(0);
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
});
