/**
 * Plain data as bytes, for messages between threads through shared memory: null, undefined, booleans, numbers, bigints, strings,
 * byte arrays, arrays and objects of these. A message of a few fields takes a few microseconds; node:v8's serializer takes
 * twenty, which is as long as the wake-up that it is sent with.
 *
 *     tag (1 byte), then: number 8 bytes; bigint 8 bytes; string length (4), units of 1 or 2 bytes; bytes length (4), bytes;
 *     array length (4), values; object count (1), a key and a value each; key number in `keys` (1), or 255 and a string
 */

const Tag = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  number: 4,
  bigint: 5,
  /** Every unit below 256. */
  narrowString: 6,
  wideString: 7,
  bytes: 8,
  array: 9,
  object: 10,
  /** From 2^63 on: inodes are any 64 bits (gluster, Ceph). */
  unsignedBigint: 11,
} as const;

const LENGTH_BYTES = 4;
const NUMBER_BYTES = 8;
const NARROW_LIMIT = 256;

/** Thrown where a message does not fit into its memory, or is no plain data. */
export class CodecError extends Error {
  override readonly name: string = "CodecError";
}

/** Keys that are sent as one byte: to write and read them takes longer than all the rest. Their order is no contract. */
const KEYS = [
  "value",
  "errno",
  "step",
  "message",
  "moved",
  "path",
  "name",
  "from",
  "directory",
  "fd",
  "flags",
  "follow",
  "headBytes",
  "request",
  "pieces",
  "sync",
  "facts",
  "head",
  "kind",
  "sizeBytes",
  "allocatedBytes",
  "blockSizeBytes",
  "mode",
  "owner",
  "group",
  "device",
  "inode",
  "accessNs",
  "modificationNs",
  "changeNs",
  "label",
  "noCopyOnWrite",
  "offsetBytes",
  "lengthBytes",
  "bytes",
  "keepSize",
  "source",
  "target",
  "sourceOffset",
  "targetOffset",
  "copiedBytes",
  "way",
  "pattern",
  "startBytes",
  "endBytes",
  "deviceNumber",
  "ends",
  "index",
  "content",
  "holds",
];
const KEY_NUMBERS = new Map(KEYS.map((key, number) => [key, number]));
const OTHER_KEY = 255;
const MOST_KEYS = 255;

/** A number that the kernel has no room for either. */
export class RangeCodecError extends CodecError {
  override readonly name = "RangeCodecError";
}

export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(memory: Uint8Array) {
    this.#bytes = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /** Replaces what was there; gives the message's length in bytes. */
  write(value: unknown): number {
    this.#at = 0;
    this.#value(value);
    return this.#at;
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.#string(value);
        break;
      case "number":
        this.#view.setFloat64(this.#tag(Tag.number, NUMBER_BYTES), value, true);
        break;
      case "bigint":
        this.#bigint(value);
        break;
      case "boolean":
        this.#tag(value ? Tag.true : Tag.false, 0);
        break;
      case "undefined":
        this.#tag(Tag.undefined, 0);
        break;
      case "object":
        this.#object(value);
        break;
      default:
        throw new CodecError(`a ${typeof value} cannot be sent`);
    }
  }

  #object(value: object | null): void {
    if (value === null) {
      this.#tag(Tag.null, 0);
    } else if (value instanceof Uint8Array) {
      const at = this.#tag(Tag.bytes, LENGTH_BYTES + value.length);
      this.#view.setUint32(at, value.length, true);
      this.#bytes.set(value, at + LENGTH_BYTES);
    } else if (Array.isArray(value)) {
      this.#view.setUint32(this.#tag(Tag.array, LENGTH_BYTES), value.length, true);
      for (const item of value) this.#value(item);
    } else {
      const countAt = this.#tag(Tag.object, 1);
      let count = 0;
      for (const key in value) {
        this.#key(key);
        this.#value(value[key as keyof typeof value]);
        count++;
      }
      if (count > MOST_KEYS) throw new CodecError(`an object of ${count} keys cannot be sent`);
      this.#bytes[countAt] = count;
    }
  }

  #key(key: string): void {
    const number = KEY_NUMBERS.get(key);
    this.#tag(number ?? OTHER_KEY, 0);
    if (number === undefined) this.#string(key);
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.#view.setBigInt64(this.#tag(Tag.bigint, NUMBER_BYTES), value, true);
    } else if (BigInt.asUintN(64, value) === value) {
      this.#view.setBigUint64(this.#tag(Tag.unsignedBigint, NUMBER_BYTES), value, true);
    } else {
      throw new RangeCodecError(`${value} is too large`);
    }
  }

  #string(text: string): void {
    const { length } = text;
    const at = this.#tag(Tag.narrowString, LENGTH_BYTES + length);
    this.#view.setUint32(at, length, true);
    let to = at + LENGTH_BYTES;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= NARROW_LIMIT) {
        this.#at = at - 1;
        this.#wideString(text);
        return;
      }
      this.#bytes[to++] = unit;
    }
  }

  #wideString(text: string): void {
    const { length } = text;
    const at = this.#tag(Tag.wideString, LENGTH_BYTES + 2 * length);
    this.#view.setUint32(at, length, true);
    for (let index = 0; index < length; index++) {
      this.#view.setUint16(at + LENGTH_BYTES + 2 * index, text.charCodeAt(index), true);
    }
  }

  /** Where what belongs to the tag is to be written. */
  #tag(tag: number, bytes: number): number {
    const at = this.#at + 1;
    if (at + bytes > this.#bytes.length) throw new CodecError("the message is too long");
    this.#bytes[this.#at] = tag;
    this.#at = at + bytes;
    return at;
  }
}

export class MessageReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #at = 0;

  constructor(memory: Uint8Array) {
    this.#bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /** The message at the memory's beginning. Nothing of what is given refers to the memory. */
  read(): unknown {
    this.#at = 0;
    return this.#value();
  }

  #value(): unknown {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case Tag.null:
        return null;
      case Tag.undefined:
        return undefined;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.number:
        return this.#view.getFloat64(this.#step(NUMBER_BYTES), true);
      case Tag.bigint:
        return this.#view.getBigInt64(this.#step(NUMBER_BYTES), true);
      case Tag.unsignedBigint:
        return this.#view.getBigUint64(this.#step(NUMBER_BYTES), true);
      case Tag.bytes: {
        const length = this.#length();
        const at = this.#step(length);
        return Buffer.from(this.#bytes.subarray(at, at + length));
      }
      case Tag.array:
        return this.#array();
      case Tag.object:
        return this.#object();
      default:
        return this.#string(tag);
    }
  }

  #array(): unknown[] {
    const length = this.#length();
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.#value());
    return items;
  }

  #object(): Record<string, unknown> {
    const count = this.#bytes[this.#at++] ?? 0;
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const number = this.#bytes[this.#at++] ?? 0;
      const key = number === OTHER_KEY ? this.#string(this.#bytes[this.#at++]) : KEYS[number];
      if (key === undefined) throw new CodecError(`there is no key ${number}`);
      const value = this.#value();
      // Set like the others, it would be the object's prototype.
      if (key === "__proto__")
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      else object[key] = value;
    }
    return object;
  }

  #string(tag: number | undefined): string {
    const length = this.#length();
    if (tag === Tag.narrowString) {
      const at = this.#step(length);
      return this.#bytes.toString("latin1", at, at + length);
    }
    if (tag !== Tag.wideString) throw new CodecError(`there is no value of kind ${tag}`);
    const at = this.#step(2 * length);
    return this.#bytes.toString("utf16le", at, at + 2 * length);
  }

  #length(): number {
    return this.#view.getUint32(this.#step(LENGTH_BYTES), true);
  }

  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
