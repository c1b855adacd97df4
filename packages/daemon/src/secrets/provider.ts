import type { SecretReference } from "@cistern/protocol";
import type { SecretEventListener } from "./events.js";

/** libvirt's public numbers for what a secret is for; the wire's `usageType`. */
export const SECRET_USAGE = { none: 0, volume: 1, ceph: 2, iscsi: 3, tls: 4, vtpm: 5 } as const;
export type SecretUsage = keyof typeof SECRET_USAGE;

/** How a pool's or a volume's document names a secret. */
export type SecretLookup = { readonly uuid: string } | { readonly usage: string };

/**
 * Passphrases and keys that pools and volumes refer to, kept by this daemon (`SecretStore`) or by libvirt's own secret
 * daemon (`RemoteSecrets`). All failures are `LibvirtError`s of domain SECRET with libvirt's codes and texts.
 *
 * UUIDs are lower case with dashes. Flags are the caller's, and unknown ones are refused here. Whether the caller may ask
 * at all (read-only connections) was decided before.
 */
export interface SecretProvider {
  count(): Promise<number>;
  /** `flags`: 1 ephemeral, 2 not ephemeral, 4 private, 8 not private; of each pair none or both means all. */
  list(flags: number): Promise<SecretReference[]>;
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
  /** For the daemon's own use by pools and volumes, private secrets included; `usage` is that of a secret named by usage. */
  passphrase(lookup: SecretLookup, usage: SecretUsage): Promise<Uint8Array>;
  /** Returns how to stop listening. */
  listen(listener: SecretEventListener): () => void;
  /** Reads anew what is kept elsewhere, for SIGHUP. */
  reload(): Promise<void>;
  close(): Promise<void>;
}
