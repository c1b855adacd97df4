import { ErrorDomain } from "../error-codes.js";
import { struct } from "../xdr/composites.js";
import { int, nothing, uint, unsignedHyper } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import { poolReference, text, volumeReference } from "./shared.js";

const volumeProcedure = procedureOf(ErrorDomain.STORAGE);

/** Everything that is asked of volumes. Numbers, fields and their order are libvirt's. */
export const volumes = {
  storageVolCreateXml: volumeProcedure(93, "STORAGE_VOL_CREATE_XML", "virStorageVolCreateXML", {
    args: struct({ pool: poolReference, xml: text, flags: uint }),
    result: struct({ vol: volumeReference }),
    requiresWrite: true,
    acl: ["storage_vol:create"],
  }),
  storageVolDelete: volumeProcedure(94, "STORAGE_VOL_DELETE", "virStorageVolDelete", {
    args: struct({ vol: volumeReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:delete"],
  }),
  storageVolLookupByName: volumeProcedure(95, "STORAGE_VOL_LOOKUP_BY_NAME", "virStorageVolLookupByName", {
    args: struct({ pool: poolReference, name: text }),
    result: struct({ vol: volumeReference }),
    priority: true,
    acl: ["storage_vol:getattr"],
  }),
  storageVolLookupByKey: volumeProcedure(96, "STORAGE_VOL_LOOKUP_BY_KEY", "virStorageVolLookupByKey", {
    args: struct({ key: text }),
    result: struct({ vol: volumeReference }),
    priority: true,
    acl: ["storage_vol:getattr"],
  }),
  storageVolLookupByPath: volumeProcedure(97, "STORAGE_VOL_LOOKUP_BY_PATH", "virStorageVolLookupByPath", {
    args: struct({ path: text }),
    result: struct({ vol: volumeReference }),
    priority: true,
    acl: ["storage_vol:getattr"],
  }),
  storageVolGetInfo: volumeProcedure(98, "STORAGE_VOL_GET_INFO", "virStorageVolGetInfo", {
    args: struct({ vol: volumeReference }),
    result: struct({ type: int, capacity: unsignedHyper, allocation: unsignedHyper }),
    priority: true,
    acl: ["storage_vol:read"],
  }),
  storageVolGetXmlDesc: volumeProcedure(99, "STORAGE_VOL_GET_XML_DESC", "virStorageVolGetXMLDesc", {
    args: struct({ vol: volumeReference, flags: uint }),
    result: struct({ xml: text }),
    priority: true,
    acl: ["storage_vol:read"],
  }),
  storageVolGetPath: volumeProcedure(100, "STORAGE_VOL_GET_PATH", "virStorageVolGetPath", {
    args: struct({ vol: volumeReference }),
    result: struct({ name: text }),
    priority: true,
    acl: ["storage_vol:read"],
  }),
  storageVolCreateXmlFrom: volumeProcedure(125, "STORAGE_VOL_CREATE_XML_FROM", "virStorageVolCreateXMLFrom", {
    args: struct({ pool: poolReference, xml: text, clonevol: volumeReference, flags: uint }),
    result: struct({ vol: volumeReference }),
    requiresWrite: true,
    acl: ["storage_vol:create"],
  }),
  storageVolWipe: volumeProcedure(165, "STORAGE_VOL_WIPE", "virStorageVolWipe", {
    args: struct({ vol: volumeReference, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:format"],
  }),
  storageVolUpload: volumeProcedure(208, "STORAGE_VOL_UPLOAD", "virStorageVolUpload", {
    args: struct({ vol: volumeReference, offset: unsignedHyper, length: unsignedHyper, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:data_write"],
    stream: "upload",
  }),
  storageVolDownload: volumeProcedure(209, "STORAGE_VOL_DOWNLOAD", "virStorageVolDownload", {
    args: struct({ vol: volumeReference, offset: unsignedHyper, length: unsignedHyper, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:data_read"],
    stream: "download",
  }),
  storageVolWipePattern: volumeProcedure(259, "STORAGE_VOL_WIPE_PATTERN", "virStorageVolWipePattern", {
    args: struct({ vol: volumeReference, algorithm: uint, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:format"],
  }),
  storageVolResize: volumeProcedure(260, "STORAGE_VOL_RESIZE", "virStorageVolResize", {
    args: struct({ vol: volumeReference, capacity: unsignedHyper, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["storage_vol:resize"],
  }),
  storageVolGetInfoFlags: volumeProcedure(378, "STORAGE_VOL_GET_INFO_FLAGS", "virStorageVolGetInfoFlags", {
    args: struct({ vol: volumeReference, flags: uint }),
    result: struct({ type: int, capacity: unsignedHyper, allocation: unsignedHyper }),
    priority: true,
    acl: ["storage_vol:read"],
  }),
} as const;
