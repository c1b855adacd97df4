/** Numbers that look random and are the same in every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function randomBytes(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = Math.floor(random() * 256);
  return bytes;
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff];
const INTERESTING_WORDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 16_384, 16_385, 4_194_304, 4_194_305];
const HEADER_BYTES = 28;

/** A packet that was valid, with a few bytes or words changed, or cut, or longer. Its length word stays right mostly. */
export function mutated(packet: Uint8Array, random: () => number): Buffer {
  let bytes = Buffer.from(packet);
  const position = (from: number): number => from + Math.floor(random() * Math.max(1, bytes.length - from));
  const changes = 1 + Math.floor(random() * 4);
  for (let change = 0; change < changes; change++) {
    const kind = random();
    if (kind < 0.35) bytes[position(4)] = pick(INTERESTING, random);
    else if (kind < 0.6 && bytes.length >= HEADER_BYTES + 4) {
      const at = HEADER_BYTES + 4 * Math.floor((random() * (bytes.length - HEADER_BYTES)) / 4);
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(pick(INTERESTING_WORDS, random), at);
    } else if (kind < 0.75) bytes[position(HEADER_BYTES)] = Math.floor(random() * 256);
    else if (kind < 0.85) bytes = bytes.subarray(0, Math.max(HEADER_BYTES, position(HEADER_BYTES)));
    else bytes = Buffer.concat([bytes, randomBytes(random, Math.floor(random() * 64))]);
  }
  if (random() < 0.98) bytes.writeUInt32BE(bytes.length, 0);
  return bytes;
}

function pick<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
