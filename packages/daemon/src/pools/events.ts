/** libvirt's virStoragePoolEventLifecycleType; the order is the number on the wire. */
export const POOL_LIFECYCLE_EVENTS = ["defined", "undefined", "started", "stopped", "created", "deleted"] as const;
export type PoolLifecycleEvent = (typeof POOL_LIFECYCLE_EVENTS)[number];

export interface PoolEvent {
  readonly kind: PoolLifecycleEvent | "refresh";
  readonly pool: { readonly name: string; readonly uuid: string };
}

/** Tells listeners what happened to pools. A listener that throws hurts nobody else. */
export class PoolEvents {
  readonly #listeners = new Set<(event: PoolEvent) => void>();

  /** Returns how to stop listening. */
  listen(listener: (event: PoolEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(kind: PoolEvent["kind"], pool: { readonly name: string; readonly uuid: string }): void {
    const event: PoolEvent = { kind, pool: { name: pool.name, uuid: pool.uuid } };
    for (const listener of this.#listeners) listener(event);
  }
}
