import { type DomainReference, domains } from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";

/** What a guest does, in the order of libvirt's numbers. */
export const DOMAIN_STATES = [
  "nostate",
  "running",
  "blocked",
  "paused",
  "shutdown",
  "shutoff",
  "crashed",
  "pmsuspended",
] as const;
/** What a guest does. */
export type DomainState = (typeof DOMAIN_STATES)[number];

/**
 * Which of a guest's two documents a change is for; neither: the running guest's, or the definition of one that does not run.
 * No event tells of a change of the definition.
 */
export interface DeviceChange {
  /** The running guest, until it ends. 55 where it does not run. */
  readonly live?: boolean | undefined;
  /** The definition, from the next start on. 55 where there is none. */
  readonly config?: boolean | undefined;
}

/** Bits of DOMAIN_GET_XML_DESC. */
const Xml = { INACTIVE: 2 } as const;
/** Bits of DOMAIN_ATTACH_DEVICE_FLAGS and DOMAIN_DETACH_DEVICE_FLAGS. */
const Affect = { LIVE: 1, CONFIG: 2 } as const;

/** One guest of a hypervisor. It stays the same when it is renamed: the server goes by its UUID. */
export class Domain {
  readonly #connection: Caller;
  /** By which the server finds it. */
  readonly reference: DomainReference;

  /** The same one over another connection; asks nothing. */
  constructor(connection: Caller, reference: DomainReference) {
    this.#connection = connection;
    this.reference = reference;
  }

  /** Unique among the guests of a hypervisor. */
  get name(): string {
    return this.reference.name;
  }

  /** Lower case, 8-4-4-4-12. */
  get uuid(): string {
    return this.reference.uuid;
  }

  /** The running guest's number when it was looked up; null: it did not run. */
  get id(): number | null {
    return this.reference.id < 0 ? null : this.reference.id;
  }

  /** What the guest is now; `inactive` gives what it will be after its next start. Without passwords. */
  async xml(settings: { inactive?: boolean } = {}, options?: CallOptions): Promise<string> {
    const args = { ...this.#self, flags: settings.inactive === true ? Xml.INACTIVE : 0 };
    return (await this.#connection.call(domains.domainGetXmlDesc, args, options)).xml;
  }

  /** "nostate" also stands for states that are not known here. */
  async state(options?: CallOptions): Promise<DomainState> {
    const { state } = await this.#connection.call(domains.domainGetState, { ...this.#self, flags: 0 }, options);
    return DOMAIN_STATES[state] ?? "nostate";
  }

  /** Whether it runs, or has been paused while it ran. */
  async isActive(options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(domains.domainIsActive, this.#self, options)).active !== 0;
  }

  /** Whether it has a definition, which stays when it ends. */
  async isPersistent(options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(domains.domainIsPersistent, this.#self, options)).persistent !== 0;
  }

  /** Gives the guest a device: an element such as `<disk>…</disk>`. It is there when the promise resolves. */
  async attachDevice(xml: string, change: DeviceChange = {}, options?: CallOptions): Promise<void> {
    const args = { ...this.#self, xml, flags: changeFlags(change) };
    await this.#connection.call(domains.domainAttachDeviceFlags, args, options);
  }

  /**
   * Takes a device from the guest; a disk is found by its target. A running guest may take its time to let go of it, or
   * never do it: the events "device-removed" and "device-removal-failed" say what became of it.
   */
  async detachDevice(xml: string, change: DeviceChange = {}, options?: CallOptions): Promise<void> {
    const args = { ...this.#self, xml, flags: changeFlags(change) };
    await this.#connection.call(domains.domainDetachDeviceFlags, args, options);
  }

  get #self(): { readonly dom: DomainReference } {
    return { dom: this.reference };
  }
}

function changeFlags({ live, config }: DeviceChange): number {
  return (live === true ? Affect.LIVE : 0) | (config === true ? Affect.CONFIG : 0);
}
