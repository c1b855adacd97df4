import {
  decodeXdr,
  events,
  type Frame,
  type LibvirtError,
  type PoolReference,
  type Procedure,
  type SecretReference,
  secrets,
  storage,
} from "@cistern/protocol";
import type { CallOptions, Channel } from "./channel.js";
import { EventQueue } from "./event-queue.js";

export const POOL_LIFECYCLE = ["defined", "undefined", "started", "stopped", "created", "deleted"] as const;
export type PoolLifecycle = (typeof POOL_LIFECYCLE)[number];

export interface PoolEvent {
  /** Something happened to the pool as such, or its volumes were looked at anew; "unknown" comes from newer servers. */
  readonly kind: PoolLifecycle | "refreshed" | "unknown";
  readonly pool: PoolReference;
}

export interface SecretEvent {
  readonly kind: "defined" | "undefined" | "valueChanged" | "unknown";
  readonly secret: SecretReference;
}

/** libvirt's event ids: for pools 0 lifecycle and 1 refresh, for secrets 0 lifecycle and 1 value changed. */
const EVENT_IDS = [0, 1] as const;

type Receiver = (number: number, frame: Frame) => void;

/** Brings events to those who subscribed: the server numbers each registration and repeats the number in its events. */
export class EventHub {
  readonly #channel: Channel;
  readonly #poolReceivers = new Map<number, Receiver>();
  readonly #secretReceivers = new Map<number, Receiver>();
  readonly #failers = new Set<(error: LibvirtError) => void>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async poolEvents(pool: PoolReference | null, options?: CallOptions): Promise<AsyncIterableIterator<PoolEvent>> {
    const args = EVENT_IDS.map((eventID) => ({ eventID, pool }));
    const register = storage.connectStoragePoolEventRegisterAny;
    const deregister = storage.connectStoragePoolEventDeregisterAny;
    return this.#subscribe(this.#poolReceivers, register, deregister, args, readPoolEvent, options);
  }

  async secretEvents(options?: CallOptions): Promise<AsyncIterableIterator<SecretEvent>> {
    const args = EVENT_IDS.map((eventID) => ({ eventID, secret: null }));
    const register = secrets.connectSecretEventRegisterAny;
    const deregister = secrets.connectSecretEventDeregisterAny;
    return this.#subscribe(this.#secretReceivers, register, deregister, args, readSecretEvent, options);
  }

  deliver(number: number, frame: Frame): void {
    // Every event but the closing of the connection begins with the number of its registration.
    if (number === events.connectEventConnectionClosed.number) return;
    const callbackId = new DataView(frame.payload.buffer, frame.payload.byteOffset, frame.payload.byteLength).getInt32(
      0,
    );
    const forSecrets =
      number === events.secretEventLifecycle.number || number === events.secretEventValueChanged.number;
    (forSecrets ? this.#secretReceivers : this.#poolReceivers).get(callbackId)?.(number, frame);
  }

  fail(error: LibvirtError): void {
    for (const failer of [...this.#failers]) failer(error);
  }

  async #subscribe<Args, Event>(
    receivers: Map<number, Receiver>,
    register: Procedure<Args, { readonly callbackID: number }>,
    deregister: Procedure<{ readonly callbackID: number }, void>,
    registrations: readonly Args[],
    read: (number: number, frame: Frame) => Event,
    options: CallOptions = {},
  ): Promise<EventQueue<Event>> {
    const callbackIds: number[] = [];
    const queue = new EventQueue<Event>(async () => {
      this.#failers.delete(fail);
      for (const callbackID of callbackIds) receivers.delete(callbackID);
      if (this.#channel.closedBy !== null) return;
      await Promise.all(callbackIds.map((callbackID) => this.#channel.call(deregister, { callbackID })));
    });
    const fail = (error: LibvirtError): void => queue.fail(error);
    this.#failers.add(fail);
    try {
      for (const args of registrations) {
        await this.#channel.call(register, args, {
          ...options,
          // At once: the first event may stand right behind the reply.
          onResult: ({ callbackID }) => {
            callbackIds.push(callbackID);
            receivers.set(callbackID, (number, frame) => queue.push(read(number, frame)));
          },
        });
      }
    } catch (error) {
      await queue.return().catch(() => {});
      throw error;
    }
    return queue;
  }
}

function readPoolEvent(number: number, frame: Frame): PoolEvent {
  if (number === events.storagePoolEventRefresh.number) {
    return { kind: "refreshed", pool: decodeXdr(events.storagePoolEventRefresh.payload, frame.payload).value.pool };
  }
  const { pool, event } = decodeXdr(events.storagePoolEventLifecycle.payload, frame.payload).value;
  return { kind: POOL_LIFECYCLE[event] ?? "unknown", pool };
}

function readSecretEvent(number: number, frame: Frame): SecretEvent {
  if (number === events.secretEventValueChanged.number) {
    return {
      kind: "valueChanged",
      secret: decodeXdr(events.secretEventValueChanged.payload, frame.payload).value.secret,
    };
  }
  const { secret, event } = decodeXdr(events.secretEventLifecycle.payload, frame.payload).value;
  return { kind: event === 0 ? "defined" : event === 1 ? "undefined" : "unknown", secret };
}
