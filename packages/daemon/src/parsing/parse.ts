import {
  type DomainDocument,
  type PoolDocument,
  type PoolSource,
  type PoolType,
  readDomain,
  readPool,
  readSecret,
  readSourceSpecification,
  readVolume,
  type SecretDocument,
  type VolumeDocument,
  validatePool,
  validateSecret,
  validateVolume,
} from "@cistern/documents";

export interface VolumeReading {
  readonly validate: boolean;
  readonly capacity: "required" | "optional-with-backing" | "optional";
}

/** What is to be read, as plain data, so that a worker can be asked as well. */
export type ParseRequest =
  | { readonly kind: "pool"; readonly xml: string; readonly validate: boolean }
  | { readonly kind: "secret"; readonly xml: string; readonly validate: boolean }
  | { readonly kind: "domain"; readonly xml: string }
  | { readonly kind: "source"; readonly xml: string; readonly poolType: PoolType }
  | { readonly kind: "volume"; readonly xml: string; readonly poolType: PoolType; readonly reading: VolumeReading };

/** Reads (and first validates, when wanted) one document, here and now. */
export function parse(
  request: ParseRequest,
): DomainDocument | PoolDocument | SecretDocument | PoolSource | VolumeDocument {
  switch (request.kind) {
    case "pool":
      if (request.validate) validatePool(request.xml);
      return readPool(request.xml);
    case "secret":
      if (request.validate) validateSecret(request.xml);
      return readSecret(request.xml);
    case "domain":
      return readDomain(request.xml);
    case "source":
      return readSourceSpecification(request.xml, request.poolType);
    case "volume":
      if (request.reading.validate) validateVolume(request.xml);
      return readVolume(request.xml, request.poolType, { capacity: request.reading.capacity });
  }
}
