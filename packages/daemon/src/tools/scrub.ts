import type { Command, File } from "../host/host.js";

/** scrub's names of libvirt's wiping algorithms; the index is libvirt's number. 0 and 9 are done without scrub. */
export const SCRUB_PATTERNS: readonly (string | null)[] = [
  null,
  "nnsa",
  "dod",
  "bsi",
  "gutmann",
  "schneier",
  "pfitzner7",
  "pfitzner33",
  "random",
  null,
];

/** Overwrites a whole file or device. -f: also when it bears the mark of an earlier scrub. -p: the pattern. */
export function scrub(pattern: string, file: File, name: string): Command {
  return { program: "scrub", args: ["-f", "-p", pattern, { file, name }] };
}
