import { execFile } from "node:child_process";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const CLUSTER_BYTES = 65_536;
const AT_ONCE = 32;
const QEMU_IMG_TIMEOUT_MS = 30_000;

/** Fills a new directory with qcow2 images "volume-00000.qcow2" …: one made by qemu-img, the others its copies. */
export async function makeImages(directory: string, count: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  const template = join(directory, "..", "template.qcow2");
  await promisify(execFile)("qemu-img", ["create", "-q", "-f", "qcow2", template, "1G"], {
    timeout: QEMU_IMG_TIMEOUT_MS,
  });
  const content = await readFile(template);
  await rm(template);
  const pieces = dataIn(content);
  let next = 0;
  const copy = async (): Promise<void> => {
    while (next < count) {
      const name = imageName(next);
      next += 1;
      await using file = await open(join(directory, name), "wx", 0o600);
      await file.truncate(content.length);
      for (const { offset, bytes } of pieces) await file.write(bytes, 0, bytes.length, offset);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, copy));
}

export function imageName(index: number): string {
  return `volume-${String(index).padStart(5, "0")}.qcow2`;
}

/** The parts of a file that are not zero, so that a copy takes a few blocks and not 200 KB. */
function dataIn(content: Buffer): readonly { readonly offset: number; readonly bytes: Buffer }[] {
  const pieces: { offset: number; bytes: Buffer }[] = [];
  for (let offset = 0; offset < content.length; offset += CLUSTER_BYTES) {
    const cluster = content.subarray(offset, offset + CLUSTER_BYTES);
    const end = cluster.findLastIndex((byte) => byte !== 0) + 1;
    if (end > 0) pieces.push({ offset, bytes: cluster.subarray(0, end) });
  }
  return pieces;
}
