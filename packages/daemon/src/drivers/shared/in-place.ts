import type { VolumeDocument } from "@cistern/documents";
import type { Directory } from "../../host/host.js";
import type { ContentTrace, Job, Recorded } from "../../jobs/job.js";
import { failingAs } from "./failure.js";
import { pathOf } from "./target-directory.js";

export type InPlaceChange = Pick<ContentTrace, "kind" | "sizeBytes"> | { readonly kind: "resize" };

/** Writes down that an existing volume is being changed where it is. To be released when that has ended, in whatever way. */
export async function recordInPlace(
  change: InPlaceChange,
  directory: Directory,
  volume: VolumeDocument,
  job: Job,
): Promise<Recorded> {
  const detail = `cannot record the change of volume '${pathOf(volume)}'`;
  const { inode } = await failingAs(detail, directory.facts({ signal: job.signal }));
  return failingAs(detail, job.record({ ...change, directory: { path: directory.path, inode }, name: volume.name }));
}
