import { type DomainReference, domains, events } from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";
import { Domain } from "./domain.js";
import { callback, type EventHub, type Topic, topic } from "./event-hub.js";

/** What happens to guests as such, in the order of libvirt's numbers. */
export const DOMAIN_LIFECYCLE = [
  "defined",
  "undefined",
  "started",
  "suspended",
  "resumed",
  "stopped",
  "shutdown",
  "pmsuspended",
  "crashed",
] as const;
/** What happens to a guest as such. */
export type DomainLifecycle = (typeof DOMAIN_LIFECYCLE)[number];

/** Why, by libvirt's numbers. */
const REASONS: Readonly<Record<DomainLifecycle, readonly string[]>> = {
  defined: ["added", "updated", "renamed", "from-snapshot"],
  undefined: ["removed", "renamed"],
  started: ["booted", "migrated", "restored", "from-snapshot", "wakeup"],
  suspended: [
    ...["paused", "migrated", "io-error", "watchdog", "restored", "from-snapshot", "api-error", "postcopy"],
    "postcopy-failed",
  ],
  resumed: ["unpaused", "migrated", "from-snapshot", "postcopy", "postcopy-failed"],
  stopped: ["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot"],
  shutdown: ["finished", "guest", "host"],
  pmsuspended: ["memory", "disk"],
  crashed: ["panicked", "crashloaded"],
};

const BLOCK_JOBS = ["unknown", "pull", "copy", "commit", "active-commit", "backup"] as const;
const BLOCK_JOB_STATES = ["completed", "failed", "cancelled", "ready"] as const;
const DISK_CHANGE_REASONS = ["missing-on-start", "dropped-on-start"] as const;
const TRAY_STATES = ["open", "closed"] as const;

/**
 * The guest as such: defined (also: defined anew), started, stopped … libvirt tells nothing when a device is given to or taken
 * from the definition alone: whoever keeps definitions reads them again from time to time.
 */
export interface DomainLifecycleEvent {
  readonly kind: "lifecycle";
  readonly domain: Domain;
  /** "unknown": a newer server's. */
  readonly change: DomainLifecycle | "unknown";
  /** Why, in libvirt's terms: "updated" of "defined", "destroyed" of "stopped". */
  readonly reason: string;
}

/** A running guest has got a device, has let go of one, or did not let go of it. */
export interface DomainDeviceEvent {
  readonly kind: "device-added" | "device-removed" | "device-removal-failed";
  readonly domain: Domain;
  /** The device's name in the running guest's document: "virtio-disk1". */
  readonly alias: string;
}

/** Work of the hypervisor on a disk, at whose end the guest may use another file. */
export interface DomainBlockJobEvent {
  readonly kind: "block-job";
  readonly domain: Domain;
  /** The disk's target: "vda". */
  readonly target: string;
  /** "pull" takes the backing files' content into the disk, "commit" the disk's content into them, "copy" all of it elsewhere. */
  readonly job: (typeof BLOCK_JOBS)[number];
  /** "ready": both files are the same, and the guest may change over. */
  readonly state: (typeof BLOCK_JOB_STATES)[number] | "unknown";
}

/** A disk's file was not there when the guest started, and it started all the same. */
export interface DomainDiskChangeEvent {
  readonly kind: "disk-change";
  readonly domain: Domain;
  readonly alias: string;
  readonly oldPath: string | null;
  readonly newPath: string | null;
  readonly reason: (typeof DISK_CHANGE_REASONS)[number] | "unknown";
}

/** The tray of a cdrom or floppy drive moved; what lies in it may be another one. */
export interface DomainTrayEvent {
  readonly kind: "tray-change";
  readonly domain: Domain;
  readonly alias: string;
  readonly tray: (typeof TRAY_STATES)[number] | "unknown";
}

/** What happens to guests, told apart by `kind`. */
export type DomainEvent =
  | DomainLifecycleEvent
  | DomainDeviceEvent
  | DomainBlockJobEvent
  | DomainDiskChangeEvent
  | DomainTrayEvent;
/** What can be asked for. */
export type DomainEventKind = DomainEvent["kind"];

/** Which events are wanted; without anything all kinds, of all guests. */
export interface DomainEventSettings {
  /** Default: all. */
  readonly kinds?: readonly DomainEventKind[] | undefined;
  /** Default: all guests, also those that come later. */
  readonly domain?: Domain | undefined;
}

type Args = { readonly eventID: number; readonly dom: DomainReference | null };
type DomainTopic = Topic<Args, DomainEvent>;

/** How each kind is asked for (libvirt's event ids) and read. */
const TOPICS: Readonly<Record<DomainEventKind, (dom: DomainReference | null, caller: Caller) => DomainTopic>> = {
  lifecycle: (dom, caller) =>
    topic({ eventID: 0, dom }, events.domainEventCallbackLifecycle, (about): DomainLifecycleEvent => {
      const change = DOMAIN_LIFECYCLE[about.event] ?? "unknown";
      const reason = (change === "unknown" ? undefined : REASONS[change][about.detail]) ?? "unknown";
      return { kind: "lifecycle", domain: new Domain(caller, about.dom), change, reason };
    }),
  "device-added": deviceTopic("device-added", 19, events.domainEventCallbackDeviceAdded),
  "device-removed": deviceTopic("device-removed", 15, events.domainEventCallbackDeviceRemoved),
  "device-removal-failed": deviceTopic("device-removal-failed", 22, events.domainEventCallbackDeviceRemovalFailed),
  "block-job": (dom, caller) =>
    topic({ eventID: 16, dom }, events.domainEventBlockJob2, (about): DomainBlockJobEvent => {
      const job = BLOCK_JOBS[about.type] ?? "unknown";
      const state = BLOCK_JOB_STATES[about.status] ?? "unknown";
      return { kind: "block-job", domain: new Domain(caller, about.dom), target: about.dst, job, state };
    }),
  "disk-change": (dom, caller) =>
    topic({ eventID: 9, dom }, events.domainEventCallbackDiskChange, (about): DomainDiskChangeEvent => {
      const { devAlias: alias, oldSrcPath: oldPath, newSrcPath: newPath } = about;
      const reason = DISK_CHANGE_REASONS[about.reason] ?? "unknown";
      return { kind: "disk-change", domain: new Domain(caller, about.dom), alias, oldPath, newPath, reason };
    }),
  "tray-change": (dom, caller) =>
    topic({ eventID: 10, dom }, events.domainEventCallbackTrayChange, (about): DomainTrayEvent => {
      const tray = TRAY_STATES[about.reason] ?? "unknown";
      return { kind: "tray-change", domain: new Domain(caller, about.dom), alias: about.devAlias, tray };
    }),
};

function deviceTopic(
  kind: DomainDeviceEvent["kind"],
  eventID: number,
  message: typeof events.domainEventCallbackDeviceAdded,
): (dom: DomainReference | null, caller: Caller) => DomainTopic {
  return (dom, caller) =>
    topic({ eventID, dom }, message, (about): DomainDeviceEvent => {
      return { kind, domain: new Domain(caller, about.dom), alias: about.devAlias };
    });
}

/** One iterator for all wanted kinds; `caller` is what the events' domains call by. */
export async function subscribeDomainEvents(
  hub: EventHub,
  caller: Caller,
  { kinds = Object.keys(TOPICS) as DomainEventKind[], domain }: DomainEventSettings,
  options?: CallOptions,
): Promise<AsyncIterableIterator<DomainEvent>> {
  const topics = [...new Set(kinds)].map((kind) => TOPICS[kind](domain?.reference ?? null, caller));
  const registration = callback(
    domains.connectDomainEventCallbackRegisterAny,
    domains.connectDomainEventCallbackDeregisterAny,
  );
  return hub.subscribe(registration, topics, options);
}
