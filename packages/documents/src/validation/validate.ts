import { DocumentErrorDomain } from "../errors.js";
import { parseDocument } from "../xml/parse.js";
import { Schema } from "./schema.js";
import { secretSchema } from "./schemas/secret.js";
import { storagePoolSchema } from "./schemas/storagepool.js";
import { storageVolumeSchema } from "./schemas/storagevol.js";

const storagePool = new Schema("storagepool.rng", storagePoolSchema);
const storageVolume = new Schema("storagevol.rng", storageVolumeSchema);
const secret = new Schema("secret.rng", secretSchema);

/**
 * Checks a pool document against its schema: only known elements and attributes, and their values' form. Whether the
 * values make sense together is for `readPool` to say.
 *
 * @throws DocumentError 35/18 and 27/5 as `readPool` does, 92/5 with libxml2's lines for what the schema refuses
 */
export function validatePool(xml: string): void {
  storagePool.validate(
    parseDocument(xml, { kind: "storage_pool_definition", domain: DocumentErrorDomain.STORAGE, root: "pool" }),
  );
}

/** The same for a volume document, of whatever pool type. */
export function validateVolume(xml: string): void {
  storageVolume.validate(
    parseDocument(xml, { kind: "storage_volume_definition", domain: DocumentErrorDomain.STORAGE, root: "volume" }),
  );
}

/** The same for a secret document; what is not well-formed gives 35/30. */
export function validateSecret(xml: string): void {
  secret.validate(
    parseDocument(xml, { kind: "definition_of_secret", domain: DocumentErrorDomain.SECRET, root: "secret" }),
  );
}
