import { LIMITS } from "../limits.js";
import { string, uuid } from "../xdr/bytes.js";
import { optional, struct } from "../xdr/composites.js";
import { hyper, int, uint } from "../xdr/scalars.js";
import type { Infer } from "../xdr/schema.js";

/** A string of the usual limit; names and whole documents alike. */
export const text = string(LIMITS.stringBytes);
export const optionalText = optional(text);

/** A pool as servers see it is its UUID; the name only serves error messages. */
export const poolReference = struct({ name: text, uuid });
export type PoolReference = Infer<typeof poolReference>;

/** A volume as servers see it is its pool's name and its own; the key is for clients. */
export const volumeReference = struct({ pool: text, name: text, key: text });
export type VolumeReference = Infer<typeof volumeReference>;

/** A secret as servers see it is its UUID. `usageType`: 0 none, 1 volume, 2 ceph, 3 iscsi, 4 tls, 5 vtpm. */
export const secretReference = struct({ uuid, usageType: int, usageID: text });
export type SecretReference = Infer<typeof secretReference>;

/** A guest as servers see it is its UUID. `id` is the running one's number, -1 where it does not run. */
export const domainReference = struct({ name: text, uuid, id: int });
export type DomainReference = Infer<typeof domainReference>;

export const networkReference = struct({ name: text, uuid });
export const interfaceReference = struct({ name: text, mac: text });
export const filterReference = struct({ name: text, uuid });
export const nodeDeviceReference = struct({ name: text });

/** The body of every packet whose status is ERROR (client packets that abort a stream have none). */
export const remoteError = struct({
  code: int,
  domain: int,
  message: optionalText,
  level: int,
  dom: optional(domainReference),
  str1: optionalText,
  str2: optionalText,
  str3: optionalText,
  int1: int,
  int2: int,
  net: optional(networkReference),
});
export type RemoteError = Infer<typeof remoteError>;

/** The body of a STREAM_HOLE packet. `length` must be positive and `flags` 0. */
export const streamHole = struct({ length: hyper, flags: uint });
export type StreamHole = Infer<typeof streamHole>;
