import type {
  DomainDocument,
  PoolDocument,
  PoolSource,
  PoolType,
  SecretDocument,
  VolumeDocument,
} from "@cistern/documents";
import { limits } from "../limits.js";
import { type ParseRequest, parse, type VolumeReading } from "./parse.js";
import { parseInWorker } from "./parse-in-worker.js";

/** Reads documents: small ones at once, long ones in a worker with a deadline, so that no client can stop the others. */
export class DocumentParser {
  async pool(xml: string, validate: boolean): Promise<PoolDocument> {
    return (await read({ kind: "pool", xml, validate })) as PoolDocument;
  }
  async domain(xml: string): Promise<DomainDocument> {
    return (await read({ kind: "domain", xml })) as DomainDocument;
  }
  async secret(xml: string, validate: boolean): Promise<SecretDocument> {
    return (await read({ kind: "secret", xml, validate })) as SecretDocument;
  }
  async source(xml: string, poolType: PoolType): Promise<PoolSource> {
    return (await read({ kind: "source", xml, poolType })) as PoolSource;
  }
  async volume(xml: string, poolType: PoolType, reading: VolumeReading): Promise<VolumeDocument> {
    return (await read({ kind: "volume", xml, poolType, reading })) as VolumeDocument;
  }
}

async function read(request: ParseRequest): Promise<unknown> {
  return request.xml.length > limits.inlineDocumentBytes ? parseInWorker(request) : parse(request);
}
