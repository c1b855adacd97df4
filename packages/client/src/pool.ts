import { type PoolReference, storage } from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";
import { Volume } from "./volume.js";

/** What a pool is, in the order of libvirt's numbers. */
export const POOL_STATES = ["inactive", "building", "running", "degraded", "inaccessible"] as const;
/** What a pool is. */
export type PoolState = (typeof POOL_STATES)[number];

/** A pool's state and sizes, which are 0 while it does not run. */
export interface PoolInfo {
  readonly state: PoolState;
  /** Of the storage as a whole. */
  readonly capacityBytes: bigint;
  /** What is taken, by whomever. */
  readonly allocationBytes: bigint;
  /** What new volumes can take. */
  readonly availableBytes: bigint;
}

/** What building may do to data that is there already; the default is the pool type's own. */
export type Overwrite = "refuse" | "overwrite";

/** How to start a pool. */
export interface StartPoolSettings {
  /** Prepare the storage first; true leaves it to the pool type whether data there is overwritten. */
  readonly build?: boolean | Overwrite | undefined;
}

/** How to create a volume. */
export interface CreateVolumeSettings {
  /** Allocate the format's metadata now (qcow2). */
  readonly preallocateMetadata?: boolean | undefined;
  /** Check the document against the schema first. libvirt 9.0 refuses to: 0x4 is a flag that it does not know there. */
  readonly validate?: boolean | undefined;
}

/** How to copy a volume. */
export interface CloneVolumeSettings extends CreateVolumeSettings {
  /** Share blocks with the source, where the file system can. */
  readonly reflink?: boolean | undefined;
}

/** Bits of STORAGE_POOL_CREATE. */
const Start = { BUILD: 1, BUILD_OVERWRITE: 2, BUILD_NO_OVERWRITE: 4 } as const;
/** Bits of STORAGE_POOL_BUILD. */
const Build = { NO_OVERWRITE: 4, OVERWRITE: 8 } as const;
/** Bits of STORAGE_VOL_CREATE_XML and _FROM. */
const Create = { PREALLOCATE_METADATA: 1, REFLINK: 2, VALIDATE: 4 } as const;

/** One pool. It stays the same pool when it is renamed: the server goes by its UUID. */
export class Pool {
  readonly #connection: Caller;
  /** By which the server finds it. */
  readonly reference: PoolReference;

  /** The same one over another connection; asks nothing. */
  constructor(connection: Caller, reference: PoolReference) {
    this.#connection = connection;
    this.reference = reference;
  }

  /** As it was when the pool was found. */
  get name(): string {
    return this.reference.name;
  }

  /** Lower case, 8-4-4-4-12. */
  get uuid(): string {
    return this.reference.uuid;
  }

  /** What it is and has, by the last scan. */
  async info(options?: CallOptions): Promise<PoolInfo> {
    const info = await this.#connection.call(storage.storagePoolGetInfo, this.#self, options);
    return {
      state: POOL_STATES[info.state] ?? "inaccessible",
      capacityBytes: info.capacity,
      allocationBytes: info.allocation,
      availableBytes: info.available,
    };
  }

  /** The pool's document; `inactive` gives what it will be after its next start. */
  async xml(settings: { inactive?: boolean } = {}, options?: CallOptions): Promise<string> {
    const args = { ...this.#self, flags: settings.inactive === true ? 1 : 0 };
    return (await this.#connection.call(storage.storagePoolGetXmlDesc, args, options)).xml;
  }

  /** Whether it runs, and its volumes can be reached. */
  async isActive(options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(storage.storagePoolIsActive, this.#self, options)).active !== 0;
  }

  /** Whether it has a definition, which stays when it stops. */
  async isPersistent(options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(storage.storagePoolIsPersistent, this.#self, options)).persistent !== 0;
  }

  /** Whether it is started with the host. */
  async autostart(options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(storage.storagePoolGetAutostart, this.#self, options)).autostart !== 0;
  }

  /** Has it started with the host, or not; 1 for a pool without a definition. */
  async setAutostart(autostart: boolean, options?: CallOptions): Promise<void> {
    const args = { ...this.#self, autostart: autostart ? 1 : 0 };
    await this.#connection.call(storage.storagePoolSetAutostart, args, options);
  }

  /** Makes the pool's volumes available, and finds them. 55 where it runs already. */
  async start(settings: StartPoolSettings = {}, options?: CallOptions): Promise<void> {
    const args = { ...this.#self, flags: startFlags(settings) };
    await this.#connection.call(storage.storagePoolCreate, args, options);
  }

  /** Makes the pool unavailable; nothing on its storage changes. A transient pool is forgotten. */
  async stop(options?: CallOptions): Promise<void> {
    await this.#connection.call(storage.storagePoolDestroy, this.#self, options);
  }

  /** Prepares the storage: makes the directory, the file system, the partition table, the volume group. */
  async build(settings: { existing?: Overwrite | undefined } = {}, options?: CallOptions): Promise<void> {
    const { existing } = settings;
    const flags = existing === "overwrite" ? Build.OVERWRITE : existing === "refuse" ? Build.NO_OVERWRITE : 0;
    await this.#connection.call(storage.storagePoolBuild, { ...this.#self, flags }, options);
  }

  /** Undoes `build`: removes the storage. */
  async delete(options?: CallOptions): Promise<void> {
    await this.#connection.call(storage.storagePoolDelete, { ...this.#self, flags: 0 }, options);
  }

  /** Forgets the definition. The storage stays. */
  async undefine(options?: CallOptions): Promise<void> {
    await this.#connection.call(storage.storagePoolUndefine, this.#self, options);
  }

  /** Looks at the storage again: volumes that came or went, and their sizes. 55 where the pool does not run. */
  async refresh(options?: CallOptions): Promise<void> {
    await this.#connection.call(storage.storagePoolRefresh, { ...this.#self, flags: 0 }, options);
  }

  /** The volumes in order of their names. */
  async listVolumes(options?: CallOptions): Promise<Volume[]> {
    const args = { ...this.#self, need_results: 1, flags: 0 };
    const { vols } = await this.#connection.call(storage.storagePoolListAllVolumes, args, options);
    return vols.map((reference) => new Volume(this.#connection, reference)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** How many there are; 55 where the pool does not run. */
  async countVolumes(options?: CallOptions): Promise<number> {
    return (await this.#connection.call(storage.storagePoolNumOfVolumes, this.#self, options)).num;
  }

  /** The volume of this name; 50 where there is none. */
  async lookupVolume(name: string, options?: CallOptions): Promise<Volume> {
    const { vol } = await this.#connection.call(storage.storageVolLookupByName, { ...this.#self, name }, options);
    return new Volume(this.#connection, vol);
  }

  /** A new volume, complete when the promise resolves. 90 where the name is taken. */
  async createVolume(xml: string, settings: CreateVolumeSettings = {}, options?: CallOptions): Promise<Volume> {
    const args = { ...this.#self, xml, flags: createFlags(settings) };
    const { vol } = await this.#connection.call(storage.storageVolCreateXml, args, options);
    return new Volume(this.#connection, vol);
  }

  /** A new volume with the contents of `source`, which may be in another pool. */
  async cloneVolume(
    xml: string,
    source: Volume,
    settings: CloneVolumeSettings = {},
    options?: CallOptions,
  ): Promise<Volume> {
    const flags = createFlags(settings) | (settings.reflink === true ? Create.REFLINK : 0);
    const args = { ...this.#self, xml, clonevol: source.reference, flags };
    const { vol } = await this.#connection.call(storage.storageVolCreateXmlFrom, args, options);
    return new Volume(this.#connection, vol);
  }

  get #self(): { readonly pool: PoolReference } {
    return { pool: this.reference };
  }
}

export function startFlags({ build = false }: StartPoolSettings): number {
  if (build === "overwrite") return Start.BUILD_OVERWRITE;
  if (build === "refuse") return Start.BUILD_NO_OVERWRITE;
  return build ? Start.BUILD : 0;
}

function createFlags(settings: CreateVolumeSettings): number {
  return (
    (settings.preallocateMetadata === true ? Create.PREALLOCATE_METADATA : 0) |
    (settings.validate === true ? Create.VALIDATE : 0)
  );
}
