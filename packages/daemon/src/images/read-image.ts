import type { HeaderFacts } from "./header-reader.js";
import { HEADER_READERS } from "./headers.js";
import type { ImageDetails } from "./image-details.js";
import { BoundedSource, type ImageSource } from "./image-source.js";
import { probe } from "./probe.js";
import { type Qcow2Request, readQcow2 } from "./qcow2-header.js";
import { PROBE_BYTES } from "./reading-plan.js";

/**
 * All that a file's headers say, read as `format`; null: it holds something else. Of raw content nothing is read. However
 * the bytes are, this rejects only with what the source rejects with, and reads at most `imageLimits.imageBytes`.
 */
export async function readImage(
  source: ImageSource,
  format: string,
  request: Qcow2Request,
): Promise<ImageDetails | null> {
  if (format === "raw") return { ...NOTHING_SAID, format };
  if (format === "qcow2") return qcow2Details(source, request);
  const read = HEADER_READERS.get(format);
  if (read === undefined) return { ...NOTHING_SAID, format };
  const bounded = new BoundedSource(source);
  const facts = await bounded.attempt<HeaderFacts | null>({}, () => read(bounded));
  return facts === null ? null : { ...NOTHING_SAID, format, ...countable(facts, bounded), problems: bounded.problems };
}

/** Headers that count in sectors can say more bytes than any file has, and than clients can be told of. */
function countable(facts: HeaderFacts, bounded: BoundedSource): HeaderFacts {
  const isCountable = (what: string, bytes: bigint | null | undefined): boolean => {
    if (bytes === null || bytes === undefined || bytes <= MOST_BYTES) return true;
    bounded.problem(`The ${what} of ${bytes} bytes is more than can be.`);
    return false;
  };
  return {
    ...facts,
    ...(isCountable("capacity", facts.capacityBytes) ? {} : { capacityBytes: null }),
    ...(isCountable("cluster size", facts.clusterSizeBytes) ? {} : { clusterSizeBytes: null }),
  };
}

/** Whether anything is known of how a format's header looks. */
export function isReadable(format: string): boolean {
  return format === "raw" || format === "qcow2" || HEADER_READERS.has(format);
}

/** What the first bytes are, as a scan tells it, but "luks" for raw content in that envelope. */
export async function recognise(source: ImageSource): Promise<string> {
  const lengthBytes = source.sizeBytes < PROBE_BYTES ? Number(source.sizeBytes) : PROBE_BYTES;
  if (lengthBytes === 0) return "raw";
  const head = await source.read(0n, lengthBytes);
  const { facts } = probe({ head, headBytes: PROBE_BYTES, sizeBytes: source.sizeBytes });
  return facts.format === "raw" && facts.encryption === "luks" ? "luks" : facts.format;
}

const MOST_BYTES = 2n ** 64n - 1n;

/** Before any header was read. */
const NOTHING_SAID: ImageDetails = {
  format: "raw",
  subformat: null,
  version: null,
  capacityBytes: null,
  clusterSizeBytes: null,
  backing: null,
  dataFiles: [],
  encryption: null,
  qcow2: null,
  problems: [],
};

async function qcow2Details(source: ImageSource, request: Qcow2Request): Promise<ImageDetails | null> {
  const qcow2 = await readQcow2(source, request);
  if (qcow2 === null) return null;
  const { version, virtualSizeBytes, clusterSizeBytes, backing, dataFile, encryption, problems } = qcow2;
  return {
    ...NOTHING_SAID,
    format: "qcow2",
    version,
    capacityBytes: virtualSizeBytes,
    clusterSizeBytes: clusterSizeBytes === 0n ? null : clusterSizeBytes,
    backing,
    dataFiles: dataFile?.name == null ? [] : [dataFile.name],
    encryption,
    qcow2,
    problems,
  };
}
