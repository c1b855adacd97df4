import type { SecretUsageType } from "@cistern/documents";
import type { SecretReference } from "@cistern/protocol";
import type { SecretEventListener } from "./events.js";

/** How a pool's or a volume's document names a secret. */
export type SecretLookup = { readonly uuid: string } | { readonly usage: string };

/**
 * Passphrases and keys that pools and volumes refer to, kept by this daemon (`SecretStore`) or by libvirt's own secret
 * daemon (`RemoteSecrets`). Failures are `LibvirtError`s, those about secrets of domain SECRET with libvirt's texts.
 *
 * UUIDs are lower case with dashes. Flags are the caller's, and unknown ones are refused here. Whether the caller may ask
 * at all (read-only connections) was decided before.
 */
export interface SecretProvider {
  count(): Promise<number>;
  /** `flags`: 1 ephemeral, 2 not ephemeral, 4 private, 8 not private; of each pair none or both means all. */
  list(flags: number): Promise<readonly SecretReference[]>;
  /** 66 when there is none. */
  lookupByUuid(uuid: string): Promise<SecretReference>;
  /** 66 when there is none. */
  lookupByUsage(usageType: number, usageId: string): Promise<SecretReference>;
  /** `flags`: 1 validate. Redefining keeps the value. */
  define(xml: string, flags: number): Promise<SecretReference>;
  xmlDescription(uuid: string, flags: number): Promise<string>;
  setValue(uuid: string, value: Uint8Array, flags: number): Promise<void>;
  /** 65 for a private secret, unless the caller proved to be a daemon of this host; 66 when no value is set. */
  getValue(uuid: string, flags: number, caller: { readonly elevated: boolean }): Promise<Uint8Array>;
  undefine(uuid: string): Promise<void>;
  /** For the daemon's own use by pools and volumes, private secrets included. `usage` is what a lookup by usage is for. */
  passphrase(lookup: SecretLookup, usage: SecretUsageType): Promise<Uint8Array>;
  /** Returns how to stop listening. */
  listen(listener: SecretEventListener): () => void;
  /** Reads anew what lies on disk, for SIGHUP. */
  reload(): Promise<void>;
  close(): Promise<void>;
}
