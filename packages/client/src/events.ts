import {
  type AnyMessage,
  cistern,
  cisternEvents,
  decodeXdr,
  events,
  type Frame,
  type LibvirtError,
  type PoolReference,
  PROGRAM,
  type Procedure,
  type SecretReference,
  secrets,
  storage,
} from "@cistern/protocol";
import type { CallOptions, Channel } from "./channel.js";
import { EventQueue } from "./event-queue.js";
import { type Job, readJob } from "./job.js";

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

type Receiver = (frame: Frame) => void;

/** How to ask for events of one kind, and how to end that. */
interface Registration<Args, Result> {
  readonly register: Procedure<Args, Result>;
  /** The number that the server gave it. */
  idOf(result: Result): number;
  deregister(id: number): Promise<void>;
}

/** Brings events to those who subscribed: the server numbers each registration and repeats the number in its events. */
export class EventHub {
  readonly #channel: Channel;
  readonly #poolReceivers = new Map<number, Receiver>();
  readonly #secretReceivers = new Map<number, Receiver>();
  readonly #jobReceivers = new Map<number, Receiver>();
  readonly #failers = new Set<(error: LibvirtError) => void>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async poolEvents(pool: PoolReference | null, options?: CallOptions): Promise<AsyncIterableIterator<PoolEvent>> {
    const args = EVENT_IDS.map((eventID) => ({ eventID, pool }));
    const registration = this.#callback(
      storage.connectStoragePoolEventRegisterAny,
      storage.connectStoragePoolEventDeregisterAny,
    );
    return this.#subscribe(this.#poolReceivers, registration, args, readPoolEvent, options);
  }

  async secretEvents(options?: CallOptions): Promise<AsyncIterableIterator<SecretEvent>> {
    const args = EVENT_IDS.map((eventID) => ({ eventID, secret: null }));
    const registration = this.#callback(secrets.connectSecretEventRegisterAny, secrets.connectSecretEventDeregisterAny);
    return this.#subscribe(this.#secretReceivers, registration, args, readSecretEvent, options);
  }

  /** Of one job until it has ended, or (null) of all. */
  async jobEvents(jobId: number | null, options?: CallOptions): Promise<AsyncIterableIterator<Job>> {
    const registration: Registration<{ readonly id: bigint }, { readonly watchID: number }> = {
      register: cistern.jobWatch,
      idOf: ({ watchID }) => watchID,
      deregister: (watchID) => this.#channel.call(cistern.jobUnwatch, { watchID }),
    };
    const args = [{ id: BigInt(jobId ?? 0) }];
    const isLast = (job: Job): boolean => jobId !== null && job.endedAt !== null;
    return this.#subscribe(this.#jobReceivers, registration, args, readJobEvent, options, isLast);
  }

  deliver(frame: Frame): void {
    // Every event but the closing of the connection begins with the number of its registration.
    if (isEvent(frame, events.connectEventConnectionClosed)) return;
    const { buffer, byteOffset, byteLength } = frame.payload;
    const id = new DataView(buffer, byteOffset, byteLength).getInt32(0);
    this.#receiversOf(frame).get(id)?.(frame);
  }

  #receiversOf(frame: Frame): ReadonlyMap<number, Receiver> {
    if (frame.program === PROGRAM.CISTERN) return this.#jobReceivers;
    const forSecrets = isEvent(frame, events.secretEventLifecycle) || isEvent(frame, events.secretEventValueChanged);
    return forSecrets ? this.#secretReceivers : this.#poolReceivers;
  }

  fail(error: LibvirtError): void {
    for (const failer of [...this.#failers]) failer(error);
  }

  /** libvirt's way: a callback is registered and deregistered. */
  #callback<Args>(
    register: Procedure<Args, { readonly callbackID: number }>,
    deregister: Procedure<{ readonly callbackID: number }, void>,
  ): Registration<Args, { readonly callbackID: number }> {
    return {
      register,
      idOf: ({ callbackID }) => callbackID,
      deregister: (callbackID) => this.#channel.call(deregister, { callbackID }),
    };
  }

  async #subscribe<Args, Result, Event>(
    receivers: Map<number, Receiver>,
    { register, idOf, deregister }: Registration<Args, Result>,
    registrations: readonly Args[],
    read: (frame: Frame) => Event,
    options: CallOptions = {},
    isLast: (event: Event) => boolean = () => false,
  ): Promise<EventQueue<Event>> {
    const ids: number[] = [];
    const queue = new EventQueue<Event>(async () => {
      this.#failers.delete(fail);
      for (const id of ids) receivers.delete(id);
      if (this.#channel.closedBy !== null) return;
      await Promise.all(ids.map(deregister));
    });
    const receive = (frame: Frame): void => {
      const event = read(frame);
      queue.push(event);
      if (isLast(event)) queue.finish();
    };
    const fail = (error: LibvirtError): void => queue.fail(error);
    this.#failers.add(fail);
    try {
      for (const args of registrations) {
        await this.#channel.call(register, args, {
          ...options,
          // At once: the first event may stand right behind the reply.
          onResult: (result) => {
            const id = idOf(result);
            ids.push(id);
            receivers.set(id, receive);
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

function isEvent(frame: Frame, { program, number }: AnyMessage): boolean {
  return frame.program === program && frame.procedure === number;
}

function readPoolEvent(frame: Frame): PoolEvent {
  if (isEvent(frame, events.storagePoolEventRefresh)) {
    return { kind: "refreshed", pool: decodeXdr(events.storagePoolEventRefresh.payload, frame.payload).value.pool };
  }
  const { pool, event } = decodeXdr(events.storagePoolEventLifecycle.payload, frame.payload).value;
  return { kind: POOL_LIFECYCLE[event] ?? "unknown", pool };
}

function readSecretEvent(frame: Frame): SecretEvent {
  if (isEvent(frame, events.secretEventValueChanged)) {
    return {
      kind: "valueChanged",
      secret: decodeXdr(events.secretEventValueChanged.payload, frame.payload).value.secret,
    };
  }
  const { secret, event } = decodeXdr(events.secretEventLifecycle.payload, frame.payload).value;
  return { kind: event === 0 ? "defined" : event === 1 ? "undefined" : "unknown", secret };
}

function readJobEvent(frame: Frame): Job {
  return readJob(decodeXdr(cisternEvents.jobEvent.payload, frame.payload).value.job);
}
