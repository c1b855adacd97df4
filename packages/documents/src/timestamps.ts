import type { Timestamps } from "./volume.js";
import { childText, type XmlElement } from "./xml/element.js";
import type { XmlWriter } from "./xml/write.js";

const NANOSECONDS = 1_000_000_000n;

/** Reads `<timestamps>`; what is missing or is no time counts as 0. */
export function readTimestamps(element: XmlElement): Timestamps {
  return {
    accessNs: parseInstant(childText(element, "atime")),
    modificationNs: parseInstant(childText(element, "mtime")),
    changeNs: parseInstant(childText(element, "ctime")),
    birthNs: parseInstant(childText(element, "btime")),
  };
}

export function writeTimestamps(writer: XmlWriter, timestamps: Timestamps): void {
  writer
    .open("timestamps")
    .leaf("atime", {}, formatInstant(timestamps.accessNs))
    .leaf("mtime", {}, formatInstant(timestamps.modificationNs))
    .leaf("ctime", {}, formatInstant(timestamps.changeNs))
    .leaf("btime", {}, formatInstant(timestamps.birthNs))
    .close();
}

/** Seconds, and behind a point all nine digits of the nanoseconds unless they are 0. */
function formatInstant(ns: bigint): string {
  // The seconds of a time before 1970 are negative and its nanoseconds positive, as in the kernel's timespec. libvirt
  // writes the seconds as an unsigned number.
  const nanoseconds = ((ns % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const seconds = BigInt.asUintN(64, (ns - nanoseconds) / NANOSECONDS);
  return nanoseconds === 0n ? `${seconds}` : `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}

function parseInstant(text: string | null): bigint {
  const parts = /^([0-9]{1,20})(?:\.([0-9]{1,9}))?$/.exec(text ?? "");
  if (parts === null) {
    return 0n;
  }
  const seconds = BigInt.asIntN(64, BigInt(parts[1] ?? 0));
  return seconds * NANOSECONDS + BigInt((parts[2] ?? "").padEnd(9, "0"));
}
