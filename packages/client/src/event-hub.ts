import {
  type AnyMessage,
  decodeXdr,
  type Frame,
  type LibvirtError,
  type Message,
  messageByNumber,
  type Procedure,
} from "@cistern/protocol";
import type { CallOptions, Channel } from "./channel.js";
import { EventQueue } from "./event-queue.js";

/** One kind of event: what is asked for, and how it comes. */
export interface Topic<Args, Event> {
  readonly args: Args;
  readonly message: AnyMessage;
  readonly read: (payload: Uint8Array) => Event;
}

export function topic<Args, Payload, Event>(
  args: Args,
  message: Message<Payload>,
  read: (payload: Payload) => Event,
): Topic<Args, Event> {
  return { args, message, read: (payload) => read(decodeXdr(message.payload, payload).value) };
}

/** How events are asked for, and how that is ended. */
export interface Registration<Args, Result> {
  readonly register: Procedure<Args, Result>;
  /** The number that the server gave it. */
  idOf(result: Result): number;
  deregister(channel: Channel, id: number): Promise<void>;
}

/** libvirt's way: a callback is registered and deregistered. */
export function callback<Args>(
  register: Procedure<Args, { readonly callbackID: number }>,
  deregister: Procedure<{ readonly callbackID: number }, void>,
): Registration<Args, { readonly callbackID: number }> {
  return {
    register,
    idOf: ({ callbackID }) => callbackID,
    deregister: (channel, callbackID) => channel.call(deregister, { callbackID }),
  };
}

type Receiver = (payload: Uint8Array) => void;

/** Brings events to those who subscribed: the server numbers each registration and repeats the number in its events. */
export class EventHub {
  readonly #channel: Channel;
  /** By what comes, then by the registration's number: pools, secrets, domains and jobs are numbered apart. */
  readonly #receivers = new Map<AnyMessage, Map<number, Receiver>>();
  readonly #failers = new Set<(error: LibvirtError) => void>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Events of all `topics`, in the order in which they come. `isLast` says after which there are no more. */
  async subscribe<Args, Result, Event>(
    registration: Registration<Args, Result>,
    topics: readonly Topic<Args, Event>[],
    options: CallOptions = {},
    isLast: (event: Event) => boolean = () => false,
  ): Promise<AsyncIterableIterator<Event>> {
    const registered: { readonly message: AnyMessage; readonly id: number }[] = [];
    const queue = new EventQueue<Event>(async () => {
      this.#failers.delete(fail);
      for (const { message, id } of registered) this.#receivers.get(message)?.delete(id);
      if (this.#channel.closedBy !== null) return;
      try {
        await Promise.all(registered.map(({ id }) => registration.deregister(this.#channel, id)));
      } catch (error) {
        // With the connection the server forgets all of it, and whoever leaves a loop did not ask how the connection is.
        if (this.#channel.closedBy === null) throw error;
      }
    });
    const fail = (error: LibvirtError): void => queue.fail(error);
    this.#failers.add(fail);
    try {
      for (const { args, message, read } of topics) {
        await this.#channel.call(registration.register, args, {
          ...options,
          onLate: (result) => {
            registration.deregister(this.#channel, registration.idOf(result)).catch(() => {});
          },
          // At once: the first event may stand right behind the reply.
          onResult: (result) => {
            const id = registration.idOf(result);
            registered.push({ message, id });
            this.#receiversOf(message).set(id, (payload) => {
              const event = read(payload);
              queue.push(event);
              if (isLast(event)) queue.finish();
            });
          },
        });
      }
    } catch (error) {
      // Nobody waits for it: whoever gave up does not want to, and the server may say nothing at all.
      queue.return().catch(() => {});
      throw error;
    }
    return queue;
  }

  deliver({ program, procedure, payload }: Frame): void {
    const message = messageByNumber(procedure, program);
    const receivers = message === undefined ? undefined : this.#receivers.get(message);
    if (receivers === undefined) return;
    // Every event that can be subscribed to begins with the number of its registration.
    const id = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getInt32(0);
    receivers.get(id)?.(payload);
  }

  fail(error: LibvirtError): void {
    for (const failer of [...this.#failers]) failer(error);
  }

  #receiversOf(message: AnyMessage): Map<number, Receiver> {
    const receivers = this.#receivers.get(message) ?? new Map<number, Receiver>();
    this.#receivers.set(message, receivers);
    return receivers;
  }
}
