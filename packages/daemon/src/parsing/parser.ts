import {
  type PoolDocument,
  type PoolType,
  readPool,
  readSecret,
  readVolume,
  type SecretDocument,
  validatePool,
  validateSecret,
  validateVolume,
  type VolumeDocument,
} from "@cistern/documents";
import { limits } from "../limits.js";
import { parseInWorker } from "./parse-in-worker.js";

export interface VolumeReading {
  readonly validate: boolean;
  readonly capacity: "required" | "optional-with-backing" | "optional";
}

/** What is to be read, as plain data, so that a worker can be asked as well. */
export type ParseRequest =
  | { readonly kind: "pool"; readonly xml: string; readonly validate: boolean }
  | { readonly kind: "secret"; readonly xml: string; readonly validate: boolean }
  | { readonly kind: "volume"; readonly xml: string; readonly poolType: PoolType; readonly reading: VolumeReading };

/** Reads documents: small ones at once, long ones in a worker with a deadline, so that no client can stop the others. */
export class DocumentParser {
  async pool(xml: string, validate: boolean): Promise<PoolDocument> {
    return (await read({ kind: "pool", xml, validate })) as PoolDocument;
  }
  async secret(xml: string, validate: boolean): Promise<SecretDocument> {
    return (await read({ kind: "secret", xml, validate })) as SecretDocument;
  }
  async volume(xml: string, poolType: PoolType, reading: VolumeReading): Promise<VolumeDocument> {
    return (await read({ kind: "volume", xml, poolType, reading })) as VolumeDocument;
  }
}

async function read(request: ParseRequest): Promise<unknown> {
  return request.xml.length > limits.inlineDocumentBytes ? parseInWorker(request) : parse(request);
}

export function parse(request: ParseRequest): PoolDocument | SecretDocument | VolumeDocument {
  switch (request.kind) {
    case "pool":
      if (request.validate) validatePool(request.xml);
      return readPool(request.xml);
    case "secret":
      if (request.validate) validateSecret(request.xml);
      return readSecret(request.xml);
    case "volume":
      if (request.reading.validate) validateVolume(request.xml);
      return readVolume(request.xml, request.poolType, { capacity: request.reading.capacity });
  }
}
