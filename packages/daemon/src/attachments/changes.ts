import type { Connection, Domain, DomainDeviceEvent, DomainEvent } from "@cistern/client";
import { type DiskDocument, diskOfVolume, writeDisk } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { VolumeLeases } from "../pools/volume-leases.js";
import type { BackingUsers } from "../volumes/backing-users.js";
import { mustBeIdle } from "../volumes/volumes.js";
import { type PlacedVolume, whileUsing } from "../volumes/work.js";
import { isDrive, mayWrite } from "./attachment.js";
import { guestToChange } from "./guests.js";
import type { Attachment, Attachments, KnownDomain } from "./model.js";
import { chooseTarget, type TargetWish } from "./targets.js";

/** Which of a guest's documents is meant; neither: what it does now, if it runs, else its definition. */
export interface Extent {
  readonly live: boolean;
  readonly config: boolean;
}

export interface AttachWish extends TargetWish, Extent {
  readonly isReadOnly: boolean;
  readonly isShareable: boolean;
}

export interface ChangeBackends {
  readonly attachments: Attachments;
  readonly backingUsers: BackingUsers;
  readonly leases: VolumeLeases;
  /** Connects to a hypervisor by its source's name. */
  readonly open: (source: string) => Promise<Connection>;
}

/** Gives volumes to guests and takes them away, over a connection to the guest's own hypervisor. */
export class AttachmentChanges {
  readonly #backends: ChangeBackends;

  constructor(backends: ChangeBackends) {
    this.#backends = backends;
  }

  /**
   * Refuses a second writer. While it lasts, the volume is leased: two of these cannot both find it free.
   *
   * @throws LibvirtError 42 without such a guest, 55 for what is in use or cannot be changed, 9 where its hypervisor does not
   *   answer, and what it answers
   */
  async attach(placed: PlacedVolume, domain: string, wish: AttachWish): Promise<{ target: string; bus: string }> {
    const { pool, volume } = placed;
    const { leases } = this.#backends;
    mustBeIdle(volume, leases);
    return whileUsing(leases, [{ ...placed, as: "writer" }], async () => {
      const guest = await this.#guestAsItIs(domain);
      const target = chooseTarget(guest, wish);
      const plain = diskOfVolume(pool.live, volume.document, { target, bus: wish.bus });
      const disk: DiskDocument = {
        ...plain,
        isReadOnly: wish.isReadOnly || plain.isReadOnly,
        isShareable: wish.isShareable,
      };
      await this.#refuseSecondWriter(placed, guest, disk);
      await this.#changing(guest, (running) => running.attachDevice(writeDisk(disk), extentOf(wish), PATIENCE));
      return { target, bus: disk.bus ?? "" };
    });
  }

  /**
   * `isReleased` is false where the running guest did not let go of the disk in time: it still uses the volume.
   *
   * @throws LibvirtError as `attach`; 99 where the guest has no such disk
   */
  async detach(
    placed: PlacedVolume,
    domain: string,
    { target, ...extent }: Extent & { readonly target: string | null },
  ): Promise<{ target: string; isReleased: boolean }> {
    const guest = await this.#guestAsItIs(domain);
    const use = this.#useBy(placed, guest, target);
    const isNow = guest.isLive && (extent.live || !extent.config);
    const isIn = (document: KnownDomain["live"]) => document?.disks.find((disk) => disk.target === use.target);
    const disk = (isNow ? isIn(guest.live) : undefined) ?? isIn(guest.persistent);
    if (disk === undefined) throw noSuchDisk(placed, guest);
    const isReleased = await this.#changing(guest, async (running, connection) => {
      const released = isNow && disk.alias !== null ? await removalOf(connection, running, disk.alias) : null;
      await running.detachDevice(writeDisk(disk), extentOf(extent), PATIENCE);
      return released === null ? true : released();
    });
    return { target: disk.target, isReleased };
  }

  /** What is known of it may be older than the person's question, and what is old decides nothing here. */
  async #guestAsItIs(nameOrUuid: string): Promise<KnownDomain> {
    const { attachments } = this.#backends;
    const guest = await guestToChange(attachments, nameOrUuid);
    if (!(await attachments.refreshDomain(guest, limits.hypervisorCallMs))) {
      const detail = `what guest '${guest.name}' uses now is not known, because '${guest.source}' does not answer; nothing was changed`;
      throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, detail);
    }
    return guestToChange(attachments, nameOrUuid);
  }

  async #refuseSecondWriter(placed: PlacedVolume, guest: KnownDomain, disk: DiskDocument): Promise<void> {
    const name = `${placed.pool.name}/${placed.volume.name}`;
    const users = this.#backends.attachments.ofVolume(placed.pool.name, placed.volume.name);
    for (const user of users) {
      if (isSameGuest(user, guest))
        throw inUse(name, `guest '${guest.name}' has it already, as ${user.target ?? user.role}`);
      const isShared = disk.isShareable && user.isShareable;
      if (isShared || (disk.isReadOnly && !mayWrite(user))) continue;
      throw inUse(name, `guest '${user.domain.name}' (${user.domain.state}) uses it as ${user.target ?? user.role}`);
    }
    if (disk.isReadOnly) return;
    const [overlay] = await this.#backends.backingUsers.overlaysOn(placed);
    if (overlay === undefined) return;
    throw inUse(
      name,
      `volume '${overlay.pool.name}/${overlay.volume.name}' is built on it, and writing would destroy that`,
    );
  }

  #useBy(placed: PlacedVolume, guest: KnownDomain, target: string | null): Attachment {
    const uses = this.#backends.attachments
      .ofVolume(placed.pool.name, placed.volume.name)
      .filter((use) => isSameGuest(use, guest) && isDrive(use) && (target === null || use.target === target));
    const targets = [...new Set(uses.map((use) => use.target))];
    const [use] = uses;
    if (use === undefined) throw noSuchDisk(placed, guest);
    if (targets.length > 1) {
      const detail = `guest '${guest.name}' has it as ${targets.join(" and ")}: say which target is meant`;
      throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, detail);
    }
    return use;
  }

  /** Afterwards what is known of the guest is what it is now. */
  async #changing<T>(guest: KnownDomain, change: (domain: Domain, connection: Connection) => Promise<T>): Promise<T> {
    await using connection = await this.#backends.open(guest.source);
    const domain =
      guest.uuid === null
        ? await connection.lookupDomain(guest.name, PATIENCE)
        : await connection.lookupDomainByUuid(guest.uuid, PATIENCE);
    try {
      return await change(domain, connection);
    } finally {
      await this.#backends.attachments.refreshDomain(guest, limits.useGuardMs);
    }
  }
}

const PATIENCE = { timeoutMs: limits.hypervisorCallMs };

function extentOf({ live, config }: Extent): Extent {
  return { live, config };
}

/** Subscribed when the promise resolves; what it gives waits for the guest to let go, or for `limits.diskReleaseMs`. */
async function removalOf(connection: Connection, domain: Domain, alias: string): Promise<() => Promise<boolean>> {
  const events = await connection.domainEvents(
    { kinds: ["device-removed", "device-removal-failed"], domain },
    PATIENCE,
  );
  const outcome = (async (): Promise<boolean> => {
    for await (const event of events) {
      if (isAboutDevice(event) && event.alias === alias) return event.kind === "device-removed";
    }
    return false;
  })();
  // A connection that ends while the call is under way is that call's failure.
  outcome.catch(() => {});
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), limits.diskReleaseMs);
    });
    try {
      return await Promise.race([outcome, patience]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function isAboutDevice(event: DomainEvent): event is DomainDeviceEvent {
  return event.kind === "device-removed" || event.kind === "device-removal-failed";
}

function isSameGuest({ domain }: Attachment, { source, name, uuid }: KnownDomain): boolean {
  return uuid === null || domain.uuid === null
    ? domain.source === source && domain.name === name
    : domain.uuid === uuid;
}

function inUse(name: string, by: string): LibvirtError {
  const detail = `volume '${name}' is still in use: ${by}`;
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, detail);
}

function noSuchDisk({ pool, volume }: PlacedVolume, { name }: KnownDomain): LibvirtError {
  const detail = `guest '${name}' has no such disk of volume '${pool.name}/${volume.name}'`;
  return LibvirtError.of(ErrorCode.DEVICE_MISSING, ErrorDomain.STORAGE, detail);
}
