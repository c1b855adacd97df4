import { setTimeout as sleep } from "node:timers/promises";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";

export type EventFamily = "storage pool" | "secret" | "domain" | "network" | "node device";

interface Registration {
  readonly family: EventFamily;
  readonly eventId: number;
  /** Only events of this object; null: of all. */
  readonly uuid: string | null;
}

/** The highest event number of each family that libvirt 9.0 knows. Families this daemon has no events of are accepted. */
const KNOWN_EVENTS: Readonly<Record<EventFamily, number>> = {
  "storage pool": 1,
  secret: 1,
  domain: 26,
  network: 0,
  "node device": 1,
};

/** Callback numbers are unique in the daemon, as libvirt's are. */
let nextCallbackId = 0;

/** The events one client asked for. They end with its connection. */
export class Subscriptions {
  readonly #registrations = new Map<number, Registration>();

  register(family: EventFamily, eventId: number, uuid: string | null): number {
    if (eventId < 0 || eventId > KNOWN_EVENTS[family]) throw refusal(`unsupported ${family} event ID ${eventId}`);
    if (this.#registrations.size >= limits.registrationsPerClient) {
      throw refusal(`a client may have at most ${limits.registrationsPerClient} event registrations`);
    }
    const id = nextCallbackId++;
    this.#registrations.set(id, { family, eventId, uuid });
    return id;
  }

  /**
   * Is back a moment later. virsh ends with this call while another of its threads may still be busy with the event before, and
   * says that it has leaked references if that has not let go when the answer comes. libvirtd is never that fast.
   */
  async deregister(family: EventFamily, callbackId: number): Promise<void> {
    if (this.#registrations.get(callbackId)?.family !== family) {
      throw refusal(`${family} event callback ${callbackId} not registered`);
    }
    this.#registrations.delete(callbackId);
    await sleep(limits.deregisteredAfterMs);
  }

  /** The callbacks that an event is for. */
  *matching(family: EventFamily, eventId: number, uuid: string): Iterable<number> {
    for (const [id, registration] of this.#registrations) {
      if (registration.family !== family || registration.eventId !== eventId) continue;
      if (registration.uuid === null || registration.uuid === uuid) yield id;
    }
  }
}

function refusal(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, detail);
}
