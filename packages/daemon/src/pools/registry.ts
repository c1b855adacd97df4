import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Pool } from "./pool.js";
import { noPoolWithName, noPoolWithUuid } from "./refusals.js";
import { sourcesConflict } from "./source-conflict.js";

/** All pools the daemon knows, by UUID and by name. */
export class PoolRegistry implements Iterable<Pool> {
  readonly #byUuid = new Map<string, Pool>();
  readonly #byName = new Map<string, Pool>();

  get size(): number {
    return this.#byUuid.size;
  }
  [Symbol.iterator](): Iterator<Pool> {
    return this.#byUuid.values();
  }

  add(pool: Pool): void {
    this.#byUuid.set(pool.uuid, pool);
    this.#byName.set(pool.name, pool);
  }
  remove(pool: Pool): void {
    if (this.#byUuid.get(pool.uuid) !== pool) return;
    this.#byUuid.delete(pool.uuid);
    this.#byName.delete(pool.name);
  }
  has(pool: Pool): boolean {
    return this.#byUuid.get(pool.uuid) === pool;
  }

  findByName(name: string): Pool | undefined {
    return this.#byName.get(name);
  }
  findByUuid(uuid: string): Pool | undefined {
    return this.#byUuid.get(uuid);
  }
  byName(name: string): Pool {
    const pool = this.#byName.get(name);
    if (pool === undefined) throw noPoolWithName(name);
    return pool;
  }
  byUuid(uuid: string): Pool {
    const pool = this.#byUuid.get(uuid);
    if (pool === undefined) throw noPoolWithUuid(uuid);
    return pool;
  }
  /** A pool as a client's handle names it: the UUID decides, the name is for the message. */
  resolve(handle: { readonly name: string; readonly uuid: string }): Pool {
    const pool = this.#byUuid.get(handle.uuid);
    if (pool === undefined) throw noPoolWithUuid(handle.uuid, handle.name);
    return pool;
  }

  missing(pool: Pool): LibvirtError {
    return noPoolWithUuid(pool.uuid, pool.name);
  }

  /**
   * The pool that a document redefines, or undefined for a new one. Refuses a document that claims another pool's
   * storage, UUID or name. libvirt's order: the storage first, then the UUID, then the name.
   */
  admit(document: PoolDocument): Pool | undefined {
    for (const other of this) {
      if (other.name === document.name) continue;
      if (sourcesConflict(document, other.live)) {
        throw refusal(`Storage source conflict with pool: '${other.name}'`);
      }
    }
    const sameUuid = this.#byUuid.get(document.uuid);
    if (sameUuid !== undefined) {
      if (sameUuid.name !== document.name) {
        throw refusal(`pool '${sameUuid.name}' is already defined with uuid ${document.uuid}`);
      }
      return sameUuid;
    }
    const sameName = this.#byName.get(document.name);
    if (sameName !== undefined) throw refusal(`pool '${document.name}' already exists with uuid ${sameName.uuid}`);
    return undefined;
  }
}

function refusal(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, detail);
}
