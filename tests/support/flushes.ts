import { basename, dirname } from "node:path";
import { STORAGE_CHANGES, type TracedCall } from "./strace.js";

/** Calls that bring to the disk what was written, from the weakest promise to the strongest. */
export const FLUSHES = ["sync_file_range", "msync", "fdatasync", "fsync", "syncfs", "sync"];

/** What is traced to judge flushes. Renames, links and unlinks name no descriptor of what they change. */
export const TRACED_FOR_FLUSHES = [...new Set([...STORAGE_CHANGES, ...FLUSHES])];

/** After these of a file, an earlier flush promises nothing of what they changed. */
const WRITES = ["write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate"];
/** Here what is written to is named by the descriptor at this place. */
const COPIES: Readonly<Record<string, number>> = { copy_file_range: 1, sendfile: 0, splice: 1 };

/** What is flushed: a volume's content, or the directory that holds its name. */
export type Flushed = "file" | "directory";

/** A flush that the one side makes, and the other has nothing as strong for. */
export interface WeakerFlush {
  readonly what: Flushed;
  /** The call of the side that promises more. */
  readonly wanted: string;
  /** The best of the other after its last write, null: none. */
  readonly found: string | null;
}

/**
 * Where `ours` promises less than `theirs`: for each flush of a file of the pool or of the pool's directory that they
 * make, one at least as strong has to come after our last write to it.
 *
 * Each trace is of making or changing one volume in `directory`; a file there is that volume under whatever name it had
 * meanwhile, but for those in `others`, which were only read.
 */
export function weakerFlushes(
  theirs: readonly TracedCall[],
  ours: readonly TracedCall[],
  directory: { readonly ours: string; readonly theirs: string; readonly others: readonly string[] },
): readonly WeakerFlush[] {
  return (["file", "directory"] as const).flatMap((what) => {
    const wanted = strongest(flushesOf(theirs, what, directory.theirs, directory.others));
    if (wanted === null) return [];
    const found = strongest(flushesAfterLastWrite(ours, what, directory.ours, directory.others));
    return found !== null && strength(found) >= strength(wanted) ? [] : [{ what, wanted, found }];
  });
}

function flushesAfterLastWrite(
  calls: readonly TracedCall[],
  what: Flushed,
  directory: string,
  others: readonly string[],
): string[] {
  const last = calls.findLastIndex((call) => writtenKind(call, directory, others) === what);
  return flushesOf(calls.slice(last + 1), what, directory, others);
}

function flushesOf(calls: readonly TracedCall[], what: Flushed, directory: string, others: readonly string[]) {
  return calls
    .filter(({ name, line }) => FLUSHES.includes(name) && !/\) += -1 /.test(line))
    .filter((call) => reaches(call, what, directory, others))
    .map(({ name }) => name);
}

/** "sync" takes no descriptor, and "syncfs" any of the file system: both sides' directories lie on one. */
function reaches(call: TracedCall, what: Flushed, directory: string, others: readonly string[]): boolean {
  if (call.name === "sync") return true;
  const path = descriptorPaths(call.line)[0];
  if (call.name === "syncfs") return path !== undefined && `${path}/`.startsWith(`${directory}/`);
  return kindOf(path, directory, others) === what;
}

function writtenKind({ name, line }: TracedCall, directory: string, others: readonly string[]): Flushed | null {
  if (WRITES.includes(name)) return kindOf(descriptorPaths(line)[0], directory, others);
  if (name === "ioctl") return /FICLONE/.test(line) ? kindOf(descriptorPaths(line)[0], directory, others) : null;
  const place = COPIES[name];
  return place === undefined ? null : kindOf(descriptorPaths(line)[place], directory, others);
}

function kindOf(path: string | undefined, directory: string, others: readonly string[]): Flushed | null {
  if (path === directory) return "directory";
  if (path === undefined || dirname(path) !== directory || others.includes(basename(path))) return null;
  return "file";
}

/** "copy_file_range(11</pool/a>, [0], 12</pool/#7> (deleted), …" as "/pool/a", "/pool/#7" */
function descriptorPaths(line: string): string[] {
  return [...line.matchAll(/\d+<([^>]*)>/g)].map(([, path = ""]) => path);
}

function strongest(names: readonly string[]): string | null {
  return names.reduce<string | null>(
    (best, name) => (best !== null && strength(best) >= strength(name) ? best : name),
    null,
  );
}

function strength(name: string): number {
  return FLUSHES.indexOf(name);
}
