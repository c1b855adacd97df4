import type { FileFacts, HostStep } from "../host.js";
import { bytesOfName, bytesOfPath } from "../names.js";
import * as native from "../native.js";
import * as system from "../system-calls.js";
import { factsOfStatx } from "./facts.js";

/** What native calls have in common: how they fail, how names are passed, and what the kernel says of a file. */

export class NativeFailure extends Error {
  readonly errno: number;
  readonly step: HostStep | undefined;

  constructor(errno: number, step?: HostStep) {
    super(`errno ${errno}`);
    this.errno = errno;
    this.step = step;
  }
}

/** A result that is no negated errno. */
export function checked(result: number, step?: HostStep): number {
  if (result < 0) throw new NativeFailure(-result, step);
  return result;
}

export function nameBytes(name: string): Uint8Array {
  return terminated(bytesOfName(name));
}

export function pathBytes(path: string): Uint8Array {
  return terminated(bytesOfPath(path));
}

function terminated(bytes: Buffer): Uint8Array {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

/** What the kernel says of a file; each call reads it before the next one is made. */
const statx = new Uint8Array(native.statxBytes);
const statxWords = new Uint32Array(statx.buffer);
const statxQuads = new BigInt64Array(statx.buffer);

function told(label: string | null): FileFacts {
  return factsOfStatx(statxWords, statxQuads, 0, label);
}

/** Without its label, and without the size of a device. */
export function plainFactsOfOpen(fd: number): FileFacts {
  checked(system.statOpen(fd, statx));
  return told(null);
}

export function factsOfOpen(fd: number): FileFacts {
  checked(system.statOpen(fd, statx));
  const facts = told(native.labelSync(fd));
  return facts.kind === "block" ? { ...facts, sizeBytes: native.sizeSync(fd) ?? 0n } : facts;
}

/** Of what a path leads to. Without its label. */
export function plainFactsOfPath(path: string): FileFacts {
  checked(system.statPath(pathBytes(path), statx));
  return told(null);
}

export function factsOfPath(path: string): FileFacts {
  const bytes = pathBytes(path);
  checked(system.statPath(bytes, statx));
  return told(native.labelOfPathSync(bytes, true));
}

/** Of a symlink itself the label does not count. */
export function factsOfEntry(directory: number, name: string, follow: boolean): FileFacts {
  const bytes = nameBytes(name);
  checked(system.statEntry(directory, bytes, follow, statx));
  const facts = told(null);
  if (facts.kind === "symlink") return facts;
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), bytes]);
  return { ...facts, label: native.labelOfPathSync(path, follow) };
}

/** 0, or why it cannot be told: a negated errno. */
export function seenEntry(directory: number, name: Uint8Array): number {
  return system.statEntry(directory, name, false, statx);
}
