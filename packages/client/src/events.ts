import { events, type PoolReference, type SecretReference, secrets, storage } from "@cistern/protocol";
import type { CallOptions } from "./channel.js";
import { callback, type EventHub, topic } from "./event-hub.js";

/** What happens to pools as such, in the order of libvirt's numbers. "created" and "deleted" are about their storage. */
export const POOL_LIFECYCLE = ["defined", "undefined", "started", "stopped", "created", "deleted"] as const;
/** What happens to a pool as such. */
export type PoolLifecycle = (typeof POOL_LIFECYCLE)[number];

/** Something happened to a pool. */
export interface PoolEvent {
  /** Something happened to the pool as such, or its volumes were looked at anew; "unknown" comes from newer servers. */
  readonly kind: PoolLifecycle | "refreshed" | "unknown";
  readonly pool: PoolReference;
}

/** Something happened to a secret; its value is never told. */
export interface SecretEvent {
  readonly kind: "defined" | "undefined" | "valueChanged" | "unknown";
  readonly secret: SecretReference;
}

/** libvirt's event ids. */
const PoolEventId = { LIFECYCLE: 0, REFRESH: 1 } as const;
const SecretEventId = { LIFECYCLE: 0, VALUE_CHANGED: 1 } as const;
const SECRET_LIFECYCLE = ["defined", "undefined"] as const;

/** Of one pool, or (null) of all. */
export async function subscribePoolEvents(
  hub: EventHub,
  pool: PoolReference | null,
  options?: CallOptions,
): Promise<AsyncIterableIterator<PoolEvent>> {
  const lifecycle = topic(
    { eventID: PoolEventId.LIFECYCLE, pool },
    events.storagePoolEventLifecycle,
    (about): PoolEvent => ({ kind: POOL_LIFECYCLE[about.event] ?? "unknown", pool: about.pool }),
  );
  const refresh = topic(
    { eventID: PoolEventId.REFRESH, pool },
    events.storagePoolEventRefresh,
    (about): PoolEvent => ({ kind: "refreshed", pool: about.pool }),
  );
  const registration = callback(
    storage.connectStoragePoolEventRegisterAny,
    storage.connectStoragePoolEventDeregisterAny,
  );
  return hub.subscribe(registration, [lifecycle, refresh], options);
}

/** Of one secret, or (null) of all. */
export async function subscribeSecretEvents(
  hub: EventHub,
  secret: SecretReference | null,
  options?: CallOptions,
): Promise<AsyncIterableIterator<SecretEvent>> {
  const lifecycle = topic(
    { eventID: SecretEventId.LIFECYCLE, secret },
    events.secretEventLifecycle,
    (about): SecretEvent => ({ kind: SECRET_LIFECYCLE[about.event] ?? "unknown", secret: about.secret }),
  );
  const value = topic(
    { eventID: SecretEventId.VALUE_CHANGED, secret },
    events.secretEventValueChanged,
    (about): SecretEvent => ({ kind: "valueChanged", secret: about.secret }),
  );
  const registration = callback(secrets.connectSecretEventRegisterAny, secrets.connectSecretEventDeregisterAny);
  return hub.subscribe(registration, [lifecycle, value], options);
}
