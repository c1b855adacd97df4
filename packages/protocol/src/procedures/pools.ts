import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { uuid } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { int, nothing, uint, unsignedHyper } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import { optionalText, poolReference, text, volumeReference } from "./shared.js";

const poolProcedure = procedureOf(ErrorDomain.STORAGE);

/** Everything that is asked of pools. Numbers, fields and their order are libvirt's. */
export const pools = {
  connectNumOfStoragePools: poolProcedure(71, "CONNECT_NUM_OF_STORAGE_POOLS", "virConnectNumOfStoragePools", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
  }),
  connectListStoragePools: poolProcedure(72, "CONNECT_LIST_STORAGE_POOLS", "virConnectListStoragePools", {
    args: struct({ maxnames: int }),
    result: struct({ names: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
  }),
  connectNumOfDefinedStoragePools: poolProcedure(
    73,
    "CONNECT_NUM_OF_DEFINED_STORAGE_POOLS",
    "virConnectNumOfDefinedStoragePools",
    {
      args: nothing,
      result: struct({ num: int }),
      priority: true,
      acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
    },
  ),
  connectListDefinedStoragePools: poolProcedure(
    74,
    "CONNECT_LIST_DEFINED_STORAGE_POOLS",
    "virConnectListDefinedStoragePools",
    {
      args: struct({ maxnames: int }),
      result: struct({ names: array(text, LIMITS.listItems) }),
      priority: true,
      acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
    },
  ),
  connectFindStoragePoolSources: poolProcedure(
    75,
    "CONNECT_FIND_STORAGE_POOL_SOURCES",
    "virConnectFindStoragePoolSources",
    {
      args: struct({ type: text, srcSpec: optionalText, flags: uint }),
      result: struct({ xml: text }),
      requiresWrite: true,
      acl: ["connect:detect_storage_pools"],
    },
  ),
  storagePoolCreateXml: poolProcedure(76, "STORAGE_POOL_CREATE_XML", "virStoragePoolCreateXML", {
    args: struct({ xml: text, flags: uint }),
    result: struct({ pool: poolReference }),
    requiresWrite: true,
    acl: ["storage_pool:start", "storage_pool:write"],
  }),
  storagePoolDefineXml: poolProcedure(77, "STORAGE_POOL_DEFINE_XML", "virStoragePoolDefineXML", {
    args: struct({ xml: text, flags: uint }),
    result: struct({ pool: poolReference }),
    priority: true,
    requiresWrite: true,
    acl: ["storage_pool:write", "storage_pool:save"],
  }),
  storagePoolCreate: poolProcedure(78, "STORAGE_POOL_CREATE", "virStoragePoolCreate", {
    args: struct({ pool: poolReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_pool:start"],
  }),
  storagePoolBuild: poolProcedure(79, "STORAGE_POOL_BUILD", "virStoragePoolBuild", {
    args: struct({ pool: poolReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_pool:format"],
  }),
  storagePoolDestroy: poolProcedure(80, "STORAGE_POOL_DESTROY", "virStoragePoolDestroy", {
    args: struct({ pool: poolReference }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["storage_pool:stop"],
  }),
  storagePoolDelete: poolProcedure(81, "STORAGE_POOL_DELETE", "virStoragePoolDelete", {
    args: struct({ pool: poolReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_pool:format"],
  }),
  storagePoolUndefine: poolProcedure(82, "STORAGE_POOL_UNDEFINE", "virStoragePoolUndefine", {
    args: struct({ pool: poolReference }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["storage_pool:delete"],
  }),
  storagePoolRefresh: poolProcedure(83, "STORAGE_POOL_REFRESH", "virStoragePoolRefresh", {
    args: struct({ pool: poolReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_pool:refresh"],
  }),
  storagePoolLookupByName: poolProcedure(84, "STORAGE_POOL_LOOKUP_BY_NAME", "virStoragePoolLookupByName", {
    args: struct({ name: text }),
    result: struct({ pool: poolReference }),
    priority: true,
    acl: ["storage_pool:getattr"],
  }),
  storagePoolLookupByUuid: poolProcedure(85, "STORAGE_POOL_LOOKUP_BY_UUID", "virStoragePoolLookupByUUID", {
    args: struct({ uuid }),
    result: struct({ pool: poolReference }),
    priority: true,
    acl: ["storage_pool:getattr"],
  }),
  storagePoolLookupByVolume: poolProcedure(86, "STORAGE_POOL_LOOKUP_BY_VOLUME", "virStoragePoolLookupByVolume", {
    args: struct({ vol: volumeReference }),
    result: struct({ pool: poolReference }),
    priority: true,
    acl: ["storage_pool:getattr"],
  }),
  storagePoolGetInfo: poolProcedure(87, "STORAGE_POOL_GET_INFO", "virStoragePoolGetInfo", {
    args: struct({ pool: poolReference }),
    result: struct({ state: uint, capacity: unsignedHyper, allocation: unsignedHyper, available: unsignedHyper }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  storagePoolGetXmlDesc: poolProcedure(88, "STORAGE_POOL_GET_XML_DESC", "virStoragePoolGetXMLDesc", {
    args: struct({ pool: poolReference, flags: uint }),
    result: struct({ xml: text }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  storagePoolGetAutostart: poolProcedure(89, "STORAGE_POOL_GET_AUTOSTART", "virStoragePoolGetAutostart", {
    args: struct({ pool: poolReference }),
    result: struct({ autostart: int }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  storagePoolSetAutostart: poolProcedure(90, "STORAGE_POOL_SET_AUTOSTART", "virStoragePoolSetAutostart", {
    args: struct({ pool: poolReference, autostart: int }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["storage_pool:write"],
  }),
  storagePoolNumOfVolumes: poolProcedure(91, "STORAGE_POOL_NUM_OF_VOLUMES", "virStoragePoolNumOfVolumes", {
    args: struct({ pool: poolReference }),
    result: struct({ num: int }),
    priority: true,
    acl: ["storage_pool:search_storage_vols", "~storage_vol:getattr"],
  }),
  storagePoolListVolumes: poolProcedure(92, "STORAGE_POOL_LIST_VOLUMES", "virStoragePoolListVolumes", {
    args: struct({ pool: poolReference, maxnames: int }),
    result: struct({ names: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["storage_pool:search_storage_vols", "~storage_vol:getattr"],
  }),
  storagePoolIsActive: poolProcedure(154, "STORAGE_POOL_IS_ACTIVE", "virStoragePoolIsActive", {
    args: struct({ pool: poolReference }),
    result: struct({ active: int }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  storagePoolIsPersistent: poolProcedure(155, "STORAGE_POOL_IS_PERSISTENT", "virStoragePoolIsPersistent", {
    args: struct({ pool: poolReference }),
    result: struct({ persistent: int }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  connectListAllStoragePools: poolProcedure(281, "CONNECT_LIST_ALL_STORAGE_POOLS", "virConnectListAllStoragePools", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ pools: array(poolReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
  }),
  storagePoolListAllVolumes: poolProcedure(282, "STORAGE_POOL_LIST_ALL_VOLUMES", "virStoragePoolListAllVolumes", {
    args: struct({ pool: poolReference, need_results: int, flags: uint }),
    result: struct({ vols: array(volumeReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["storage_pool:search_storage_vols", "~storage_vol:getattr"],
  }),
  connectStoragePoolEventRegisterAny: poolProcedure(
    368,
    "CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY",
    "virConnectStoragePoolEventRegisterAny",
    {
      args: struct({ eventID: int, pool: optional(poolReference) }),
      result: struct({ callbackID: int }),
      priority: true,
      acl: ["connect:search_storage_pools", "~storage_pool:getattr"],
    },
  ),
  connectStoragePoolEventDeregisterAny: poolProcedure(
    369,
    "CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY",
    "virConnectStoragePoolEventDeregisterAny",
    {
      args: struct({ callbackID: int }),
      result: nothing,
      priority: true,
      acl: ["connect:read"],
    },
  ),
  storagePoolLookupByTargetPath: poolProcedure(
    391,
    "STORAGE_POOL_LOOKUP_BY_TARGET_PATH",
    "virStoragePoolLookupByTargetPath",
    {
      args: struct({ path: text }),
      result: struct({ pool: poolReference }),
      priority: true,
      acl: ["storage_pool:getattr"],
    },
  ),
  connectGetStoragePoolCapabilities: poolProcedure(
    403,
    "CONNECT_GET_STORAGE_POOL_CAPABILITIES",
    "virConnectGetStoragePoolCapabilities",
    {
      args: struct({ flags: uint }),
      result: struct({ capabilities: text }),
      acl: ["connect:read"],
    },
  ),
} as const;
