/** Numbers at and beyond what sizes, counts and offsets can be. */
export const WORDS = [0, 1, 2, 7, 8, 9, 21, 22, 63, 64, 255, 256, 511, 512, 1_023, 1_024, 4_095, 65_535, 65_536, 65_537]
  .map(BigInt)
  .concat([1n << 21n, (1n << 31n) - 1n, 1n << 31n, (1n << 32n) - 1n]);
export const LONG_WORDS = WORDS.concat([1n << 32n, (1n << 53n) + 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]);

export type ByteOrder = "big" | "little";

/** A copy with a number of 4 or 8 bytes put at an offset. */
export function withNumber(image: Buffer, offset: number, bytes: 4 | 8, value: bigint, order: ByteOrder): Buffer {
  const copy = Buffer.from(image);
  if (offset >= 0 && offset + bytes <= copy.length) putNumber(copy, offset, bytes, value, order);
  return copy;
}

export function putNumber(image: Buffer, offset: number, bytes: 4 | 8, value: bigint, order: ByteOrder): void {
  const number = Buffer.alloc(8);
  if (order === "big") number.writeBigUInt64BE(BigInt.asUintN(64, value << (bytes === 4 ? 32n : 0n)));
  else number.writeBigUInt64LE(BigInt.asUintN(64, value));
  number.copy(image, offset, 0, bytes);
}

/** A copy with some numbers changed, parts moved over others, or its end cut off. */
export function mutatedImage(image: Buffer, random: () => number): Buffer {
  let bytes: Buffer = Buffer.from(image);
  const below = (limit: number) => Math.floor(random() * limit);
  // Most of what matters stands at the start, some at the end, tables anywhere.
  const position = () => {
    const where = random();
    if (where < 0.6) return below(Math.min(512, bytes.length));
    if (where < 0.75) return Math.max(0, bytes.length - 512) + below(512);
    return below(bytes.length);
  };
  const changes = 1 + below(6);
  for (let change = 0; change < changes && bytes.length > 0; change++) {
    const kind = random();
    const order = random() < 0.5 ? "big" : "little";
    if (kind < 0.35) bytes = withNumber(bytes, position() & ~3, 4, WORDS[below(WORDS.length)] ?? 0n, order);
    else if (kind < 0.65)
      bytes = withNumber(bytes, position() & ~3, 8, LONG_WORDS[below(LONG_WORDS.length)] ?? 0n, order);
    else if (kind < 0.75) bytes = withNumber(bytes, position() & ~7, 8, BigInt(below(bytes.length + 8)), order);
    else if (kind < 0.85) bytes[position()] = below(256);
    else if (kind < 0.93) bytes.copyWithin(position(), position(), position() + below(256));
    else bytes = bytes.subarray(0, position());
  }
  return bytes;
}
