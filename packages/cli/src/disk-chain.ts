import type { VolumeInspection } from "@cistern/client";
import type { DataStore, DiskBacking, DiskSource } from "@cistern/documents";

type Link = VolumeInspection["chain"][number];

/** What a disk's document may say of what its image rests on. */
export interface DiskChain {
  /** null: the chain is not known beyond the image. */
  readonly backing: DiskBacking | "end" | null;
  readonly dataStore: DataStore | null;
  /** Why the chain is not said to its end; null: it is. */
  readonly gap: string | null;
}

/** The chain behind a volume as cisternd found it, in the words of a guest's disk. */
export function diskChain({ chain }: VolumeInspection): DiskChain {
  const gaps: string[] = [];
  const whole = below(chain, 0, gaps);
  return { ...whole, gap: gaps[0] ?? null };
}

function below(chain: readonly Link[], index: number, gaps: string[]): Omit<DiskChain, "gap"> {
  return { backing: backingOf(chain, index, gaps), dataStore: dataStoreOf(chain, index, gaps) };
}

function backingOf(chain: readonly Link[], index: number, gaps: string[]): DiskBacking | "end" | null {
  const next = chain.findIndex(({ role, namedBy }) => role === "backing" && namedBy === index);
  const link = chain[next];
  if (link === undefined) {
    const problem = chain[index]?.problems[0]?.detail;
    if (problem === undefined) return "end";
    gaps.push(problem);
    return null;
  }
  const source = sourceOf(link);
  if (source === null) {
    gaps.push(problemOf(link));
    return null;
  }
  return { source, format: link.format, encryption: null, ...below(chain, next, gaps) };
}

function dataStoreOf(chain: readonly Link[], index: number, gaps: string[]): DataStore | null {
  // Extents of vmdk are the driver's own matter.
  if (chain[index]?.image?.qcow2?.dataFile == null) return null;
  const link = chain.find(({ role, namedBy }) => role === "data" && namedBy === index);
  const source = link === undefined ? null : sourceOf(link);
  if (link !== undefined && source === null) gaps.push(problemOf(link));
  return source === null ? null : { source, format: "raw" };
}

function sourceOf({ place, path }: Link): DiskSource | null {
  return path === null || (place !== "file" && place !== "block") ? null : { type: place, path };
}

function problemOf({ name, problems }: Link): string {
  return problems[0]?.detail ?? `"${name}" is no file of the daemon's host`;
}
