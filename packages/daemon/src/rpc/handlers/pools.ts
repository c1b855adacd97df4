import { writePool } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError, type PoolReference } from "@cistern/protocol";
import { limits } from "../../limits.js";
import { filterPools } from "../../pools/listing.js";
import type { Pool } from "../../pools/pool.js";
import { checkFlags, noPoolWithName, poolNotActive } from "../../pools/refusals.js";
import type { Handlers } from "../call.js";
import { requesterOf } from "../requester.js";
import type { Services } from "../services.js";

/** libvirt's virStoragePoolState. */
const STATE_INACTIVE = 0;
const STATE_RUNNING = 2;
const XML_INACTIVE = 1;

export function poolHandlers(services: Services): Handlers {
  const { pools } = services;
  const { registry } = pools;
  const of = (reference: PoolReference): Pool => registry.resolve(reference);
  const activeNames = (active: boolean): string[] =>
    [...registry].filter((pool) => pool.active === active).map((pool) => pool.name);

  return {
    connectNumOfStoragePools: () => ({ num: activeNames(true).length }),
    connectListStoragePools: ({ maxnames }) => ({ names: atMost(activeNames(true), maxnames, POOL_NAMES) }),
    connectNumOfDefinedStoragePools: () => ({ num: activeNames(false).length }),
    connectListDefinedStoragePools: ({ maxnames }) => ({ names: atMost(activeNames(false), maxnames, POOL_NAMES) }),
    connectListAllStoragePools: ({ need_results, flags }) => {
      const found = filterPools(registry, flags);
      // Without results libvirt counts all, whatever the filters say.
      if (need_results === 0) return { pools: [], ret: registry.size };
      refuseTooMany(found.length, "storage_pools");
      return { pools: found.map(referenceTo), ret: found.length };
    },
    connectFindStoragePoolSources: async ({ type, srcSpec, flags }) => ({
      xml: await services.discovery.find(type, srcSpec, flags),
    }),
    storagePoolDefineXml: async ({ xml, flags }) => ({ pool: referenceTo(await pools.define(xml, flags)) }),
    storagePoolCreateXml: async ({ xml, flags }, call) => ({
      pool: referenceTo(await pools.createXml(xml, flags, requesterOf(call))),
    }),
    storagePoolCreate: ({ pool, flags }, call) => pools.create(pool, flags, requesterOf(call)),
    storagePoolBuild: ({ pool, flags }, call) => pools.build(pool, flags, requesterOf(call)),
    storagePoolDestroy: ({ pool }, call) => pools.destroy(pool, requesterOf(call)),
    storagePoolDelete: ({ pool, flags }) => pools.delete(pool, flags),
    storagePoolUndefine: ({ pool }) => pools.undefine(pool),
    storagePoolRefresh: ({ pool, flags }, call) => pools.refresh(pool, flags, requesterOf(call)),
    storagePoolLookupByName: ({ name }) => ({ pool: referenceTo(registry.byName(name)) }),
    storagePoolLookupByUuid: ({ uuid }) => ({ pool: referenceTo(registry.byUuid(uuid)) }),
    storagePoolLookupByVolume: ({ vol }) => {
      const pool = registry.findByName(vol.pool);
      if (pool === undefined) throw noPoolWithName(vol.pool);
      return { pool: referenceTo(pool) };
    },
    storagePoolLookupByTargetPath: ({ path }) => ({ pool: referenceTo(pools.byTargetPath(path)) }),
    storagePoolGetInfo: ({ pool }) => {
      const { active, live } = of(pool);
      return {
        state: active ? STATE_RUNNING : STATE_INACTIVE,
        capacity: live.capacityBytes,
        allocation: live.allocationBytes,
        available: live.availableBytes,
      };
    },
    storagePoolGetXmlDesc: ({ pool, flags }) => {
      checkFlags(flags, XML_INACTIVE, "storagePoolGetXMLDesc");
      const found = of(pool);
      return { xml: writePool((flags & XML_INACTIVE) !== 0 ? found.definition : found.live) };
    },
    storagePoolGetAutostart: ({ pool }) => ({ autostart: of(pool).autostart ? 1 : 0 }),
    storagePoolSetAutostart: ({ pool, autostart }) => pools.setAutostart(pool, autostart !== 0),
    storagePoolIsActive: ({ pool }) => ({ active: of(pool).active ? 1 : 0 }),
    storagePoolIsPersistent: ({ pool }) => ({ persistent: of(pool).persistent ? 1 : 0 }),
    storagePoolNumOfVolumes: ({ pool }) => ({ num: running(of(pool)).volumes.size }),
    storagePoolListVolumes: ({ pool, maxnames }) => {
      const names: string[] = [];
      for (const { document } of running(of(pool)).volumes) names.push(document.name);
      return { names: atMost(names, maxnames, VOLUME_NAMES) };
    },
    storagePoolListAllVolumes: ({ pool: reference, need_results, flags }) => {
      checkFlags(flags, 0, "storagePoolListAllVolumes");
      const pool = running(of(reference));
      if (need_results === 0) return { vols: [], ret: pool.volumes.size };
      refuseTooMany(pool.volumes.size, "storage_vols");
      const vols: { pool: string; name: string; key: string }[] = [];
      for (const { document } of pool.volumes) {
        vols.push({ pool: pool.name, name: document.name, key: document.key ?? "" });
      }
      return { vols, ret: vols.length };
    },
    connectStoragePoolEventRegisterAny: ({ eventID, pool }, { connection }) => ({
      callbackID: connection.subscriptions.register("storage pool", eventID, pool?.uuid ?? null),
    }),
    connectStoragePoolEventDeregisterAny: ({ callbackID }, { connection }) =>
      connection.subscriptions.deregister("storage pool", callbackID),
  };
}

export function referenceTo(pool: Pool): PoolReference {
  return { name: pool.name, uuid: pool.uuid };
}

const POOL_NAMES = { argument: "maxnames", limit: "REMOTE_STORAGE_POOL_LIST_MAX" };
const VOLUME_NAMES = { argument: "maxnames", limit: "REMOTE_STORAGE_VOL_LIST_MAX" };

/** The old list calls say how many names they take. */
export function atMost<T>(items: T[], max: number, what: { argument: string; limit: string }): T[] {
  if (max > limits.listedObjects) {
    throw LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, `${what.argument} > ${what.limit}`);
  }
  if (max < 0) throw LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, `${what.argument} must be non-negative`);
  return items.slice(0, max);
}

/** A longer list would break every client that decodes it. */
export function refuseTooMany(count: number, what: string): void {
  if (count > limits.listedObjects) {
    throw LibvirtError.of(
      ErrorCode.INTERNAL_ERROR,
      ErrorDomain.NONE,
      `Too many ${what} '${count}' for limit '${limits.listedObjects}'`,
    );
  }
}

function running(pool: Pool): Pool {
  if (!pool.active) throw poolNotActive(pool);
  return pool;
}
