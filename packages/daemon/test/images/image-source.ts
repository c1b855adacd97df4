import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { ImageSource } from "../../dist/images/image-source.js";

/** A source that says what was read of it. */
export interface CountedSource extends ImageSource {
  readonly bytesRead: number;
  readonly reads: number;
}

export function countedSource(bytes: Uint8Array, sizeBytes = BigInt(bytes.length)): CountedSource {
  return counted(sizeBytes, (offset, length) => bytes.subarray(Number(offset), Number(offset) + length));
}

/** A file, for as long as `look` takes. */
export async function withFileSource<T>(path: string, look: (source: CountedSource) => Promise<T>): Promise<T> {
  const descriptor = openSync(path, "r");
  try {
    const read = (offset: bigint, length: number) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
    };
    return await look(counted(fstatSync(descriptor, { bigint: true }).size, read));
  } finally {
    closeSync(descriptor);
  }
}

function counted(sizeBytes: bigint, read: (offset: bigint, length: number) => Uint8Array): CountedSource {
  let bytesRead = 0;
  let reads = 0;
  return {
    sizeBytes,
    get bytesRead() {
      return bytesRead;
    },
    get reads() {
      return reads;
    },
    async read(offset, length) {
      if (offset < 0n || length <= 0) throw new Error(`a read of ${length} bytes at ${offset}`);
      reads += 1;
      const bytes = read(offset, length);
      bytesRead += bytes.length;
      return bytes;
    },
  };
}
