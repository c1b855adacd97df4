import type { CallOptions, File, FileFacts } from "../../host/host.js";
import type { ImageFacts } from "../../images/image-facts.js";
import { probe } from "../../images/probe.js";
import { PROBE_BYTES } from "../../images/reading-plan.js";

/** An open file, looked at. */
export interface FileContent {
  readonly facts: FileFacts;
  /** Of the file, or of the device behind it. */
  readonly sizeBytes: bigint;
  readonly image: ImageFacts;
}

/** Facts of an open file and what its first bytes say. */
export async function contentOf(file: File, options?: CallOptions): Promise<FileContent> {
  const facts = await file.facts(options);
  const sizeBytes = facts.kind === "block" ? await file.sizeBytes(options) : facts.sizeBytes;
  const head = await file.read(0n, PROBE_BYTES, options);
  return { facts, sizeBytes, image: probe({ head, headBytes: PROBE_BYTES, sizeBytes }).facts };
}
