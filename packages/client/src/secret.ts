import { type SecretReference, secrets } from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";

/** What a secret is for, in the order of libvirt's numbers. */
export const SECRET_USAGES = ["none", "volume", "ceph", "iscsi", "tls", "vtpm"] as const;
/** What a secret is for. */
export type SecretUsage = (typeof SECRET_USAGES)[number];

/** A passphrase or key that pools and volumes refer to. It is its UUID; its value is kept apart from its document. */
export class Secret {
  readonly #connection: Caller;
  /** By which the server finds it. */
  readonly reference: SecretReference;

  /** The same one over another connection; asks nothing. */
  constructor(connection: Caller, reference: SecretReference) {
    this.#connection = connection;
    this.reference = reference;
  }

  /** Lower case, 8-4-4-4-12. */
  get uuid(): string {
    return this.reference.uuid;
  }

  /** "unknown": a newer server's. */
  get usage(): SecretUsage | "unknown" {
    return SECRET_USAGES[this.reference.usageType] ?? "unknown";
  }

  /** Unique among the secrets of one usage: a volume's path, a name, a target; "" without usage. */
  get usageId(): string {
    return this.reference.usageID;
  }

  /** The document, without the value. */
  async xml(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(secrets.secretGetXmlDesc, { ...this.#self, flags: 0 }, options)).xml;
  }

  /** The value's bytes. 66 where it was never set or the secret is gone, 65 where the secret is private. */
  async value(options?: CallOptions): Promise<Uint8Array> {
    return (await this.#connection.call(secrets.secretGetValue, { ...this.#self, flags: 0 }, options)).value;
  }

  /** At most 64 KiB. */
  async setValue(value: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#connection.call(secrets.secretSetValue, { ...this.#self, value, flags: 0 }, options);
  }

  /** Forgets document and value. */
  async undefine(options?: CallOptions): Promise<void> {
    await this.#connection.call(secrets.secretUndefine, this.#self, options);
  }

  get #self(): { readonly secret: SecretReference } {
    return { secret: this.reference };
  }
}
