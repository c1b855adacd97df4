const MiB = 1_048_576n;

export interface Wanted {
  readonly backing?: string;
  /** Declared of the backing file. */
  readonly format?: string;
  readonly dataFile?: string;
  readonly sizeBytes?: bigint;
}

/** A qcow2 header (version 3) of our own making: hundreds of these cost nothing. */
export function qcow2Image({ backing, format, dataFile, sizeBytes = MiB }: Wanted = {}): Buffer {
  const image = Buffer.alloc(65_536);
  image.write("QFI\xfb", "latin1");
  image.writeUInt32BE(3, 4);
  image.writeUInt32BE(16, 20);
  image.writeBigUInt64BE(sizeBytes, 24);
  image.writeUInt32BE(4, 96);
  image.writeUInt32BE(104, 100);
  let at = 104;
  const extension = (type: number, text: string) => {
    const content = Buffer.from(text);
    image.writeUInt32BE(type, at);
    image.writeUInt32BE(content.length, at + 4);
    content.copy(image, at + 8);
    at += 8 + Math.ceil(content.length / 8) * 8;
  };
  if (format !== undefined) extension(0xe2792aca, format);
  if (dataFile !== undefined) {
    extension(0x44415441, dataFile);
    image.writeBigUInt64BE(1n << 2n, 72);
  }
  at += 8;
  if (backing !== undefined) {
    const name = Buffer.from(backing);
    image.writeBigUInt64BE(BigInt(at), 8);
    image.writeUInt32BE(name.length, 16);
    name.copy(image, at);
  }
  return image;
}
