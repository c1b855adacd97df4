import type { CancelSignal } from "../../cancel-signal.js";
import type { ByteRange, File } from "../../host/host.js";
import { failingAs } from "./failure.js";

/**
 * The ranges of a file that hold something, in the order of the file, up to a length. A disk may be in millions of pieces:
 * none are kept, and whoever goes through them twice has them looked up twice. What is written into the file meanwhile may
 * change what comes, but not its order, and each byte is passed once.
 */
export interface RangeRequest {
  readonly lengthBytes: bigint;
  readonly signal: CancelSignal;
  /** For a failure: what is being done. */
  readonly detail: string;
}

/** Where the file has data; where that cannot be told, everywhere. */
export function dataRanges(file: File, request: RangeRequest): AsyncIterable<ByteRange> {
  return joined((atBytes) => file.dataFrom(atBytes, { signal: request.signal }), request);
}

/**
 * Where it has blocks, also those that hold no data: they may hold what was there before. Where that cannot be told, where it
 * has data.
 */
export function blockRanges(file: File, request: RangeRequest): AsyncIterable<ByteRange> {
  const options = { signal: request.signal };
  return joined(
    async (atBytes) => (await file.blocksFrom(atBytes, options)) ?? (await file.dataFrom(atBytes, options)),
    request,
  );
}

export async function lengthOf(ranges: AsyncIterable<ByteRange>): Promise<bigint> {
  let bytes = 0n;
  for await (const { startBytes, endBytes } of ranges) bytes += endBytes - startBytes;
  return bytes;
}

/** All of it as one. */
export function wholeRange(lengthBytes: bigint): AsyncIterable<ByteRange> {
  return {
    async *[Symbol.asyncIterator]() {
      if (lengthBytes > 0n) yield { startBytes: 0n, endBytes: lengthBytes };
    },
  };
}

type Look = (atBytes: bigint) => Promise<readonly ByteRange[]>;

/** To be gone through as often as one likes. */
function joined(look: Look, request: RangeRequest): AsyncIterable<ByteRange> {
  return { [Symbol.asyncIterator]: () => join(look, request) };
}

/** Ranges that follow each other are one: it is worked on in large steps. */
async function* join(look: Look, { lengthBytes, detail }: RangeRequest): AsyncGenerator<ByteRange, void> {
  // What lies between these two was found, and may go on.
  let sinceBytes = 0n;
  let atBytes = 0n;
  while (atBytes < lengthBytes) {
    const fromBytes = atBytes;
    for (const range of await failingAs(detail, look(atBytes))) {
      const endBytes = range.endBytes < lengthBytes ? range.endBytes : lengthBytes;
      // A file that changes may show something that is passed.
      if (endBytes <= atBytes || range.startBytes >= endBytes) continue;
      if (range.startBytes > atBytes) {
        if (atBytes > sinceBytes) yield { startBytes: sinceBytes, endBytes: atBytes };
        sinceBytes = range.startBytes;
      }
      atBytes = endBytes;
    }
    // There is nothing more.
    if (atBytes === fromBytes) break;
  }
  if (atBytes > sinceBytes) yield { startBytes: sinceBytes, endBytes: atBytes };
}
