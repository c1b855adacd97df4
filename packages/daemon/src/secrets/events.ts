import type { SecretReference } from "@cistern/protocol";

/** libvirt's virSecretEventLifecycleType; the order is the number on the wire. */
export const SECRET_LIFECYCLE_EVENTS = ["defined", "undefined"] as const;
export type SecretLifecycleEvent = (typeof SECRET_LIFECYCLE_EVENTS)[number];

export interface SecretEvent {
  readonly kind: SecretLifecycleEvent | "valueChanged";
  readonly secret: SecretReference;
}

export type SecretEventListener = (event: SecretEvent) => void;

/** Tells listeners what happened to secrets. */
export class SecretEvents {
  readonly #listeners = new Set<SecretEventListener>();

  /** Returns how to stop listening. */
  listen(listener: SecretEventListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(kind: SecretEvent["kind"], secret: SecretReference): void {
    const event: SecretEvent = { kind, secret };
    for (const listener of this.#listeners) listener(event);
  }
}
