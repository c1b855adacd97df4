import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { uuid } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { int, nothing, uint } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import { domainReference, text } from "./shared.js";

const domainProcedure = procedureOf(ErrorDomain.DOMAIN);

/**
 * What clients ask about guests: which there are, what they use, and to give or take a device. A storage daemon has none of
 * them, and must understand the questions to say so.
 */
export const domains = {
  domainGetXmlDesc: domainProcedure(14, "DOMAIN_GET_XML_DESC", "virDomainGetXMLDesc", {
    args: struct({ dom: domainReference, flags: uint }),
    result: struct({ xml: text }),
    acl: ["domain:read"],
  }),
  connectListDefinedDomains: domainProcedure(21, "CONNECT_LIST_DEFINED_DOMAINS", "virConnectListDefinedDomains", {
    args: struct({ maxnames: int }),
    result: struct({ names: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  domainLookupById: domainProcedure(22, "DOMAIN_LOOKUP_BY_ID", "virDomainLookupByID", {
    args: struct({ id: int }),
    result: struct({ dom: domainReference }),
    priority: true,
    acl: ["domain:getattr"],
  }),
  domainLookupByName: domainProcedure(23, "DOMAIN_LOOKUP_BY_NAME", "virDomainLookupByName", {
    args: struct({ name: text }),
    result: struct({ dom: domainReference }),
    priority: true,
    acl: ["domain:getattr"],
  }),
  domainLookupByUuid: domainProcedure(24, "DOMAIN_LOOKUP_BY_UUID", "virDomainLookupByUUID", {
    args: struct({ uuid }),
    result: struct({ dom: domainReference }),
    priority: true,
    acl: ["domain:getattr"],
  }),
  connectNumOfDefinedDomains: domainProcedure(25, "CONNECT_NUM_OF_DEFINED_DOMAINS", "virConnectNumOfDefinedDomains", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  connectListDomains: domainProcedure(37, "CONNECT_LIST_DOMAINS", "virConnectListDomains", {
    args: struct({ maxids: int }),
    result: struct({ ids: array(int, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  connectNumOfDomains: domainProcedure(51, "CONNECT_NUM_OF_DOMAINS", "virConnectNumOfDomains", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  domainIsActive: domainProcedure(150, "DOMAIN_IS_ACTIVE", "virDomainIsActive", {
    args: struct({ dom: domainReference }),
    result: struct({ active: int }),
    priority: true,
    acl: ["domain:read"],
  }),
  domainIsPersistent: domainProcedure(151, "DOMAIN_IS_PERSISTENT", "virDomainIsPersistent", {
    args: struct({ dom: domainReference }),
    result: struct({ persistent: int }),
    priority: true,
    acl: ["domain:read"],
  }),
  domainAttachDeviceFlags: domainProcedure(160, "DOMAIN_ATTACH_DEVICE_FLAGS", "virDomainAttachDeviceFlags", {
    args: struct({ dom: domainReference, xml: text, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["domain:write"],
  }),
  domainDetachDeviceFlags: domainProcedure(161, "DOMAIN_DETACH_DEVICE_FLAGS", "virDomainDetachDeviceFlags", {
    args: struct({ dom: domainReference, xml: text, flags: uint }),
    result: nothing,
    requiresWrite: true,
    acl: ["domain:write"],
  }),
  domainGetState: domainProcedure(212, "DOMAIN_GET_STATE", "virDomainGetState", {
    args: struct({ dom: domainReference, flags: uint }),
    result: struct({ state: int, reason: int }),
    priority: true,
    acl: ["domain:read"],
  }),
  connectListAllDomains: domainProcedure(273, "CONNECT_LIST_ALL_DOMAINS", "virConnectListAllDomains", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ domains: array(domainReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  connectDomainEventCallbackRegisterAny: domainProcedure(
    316,
    "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
    "virConnectDomainEventRegisterAny",
    {
      args: struct({ eventID: int, dom: optional(domainReference) }),
      result: struct({ callbackID: int }),
      priority: true,
      acl: ["connect:search_domains", "~domain:getattr"],
    },
  ),
  connectDomainEventCallbackDeregisterAny: domainProcedure(
    317,
    "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
    "virConnectDomainEventDeregisterAny",
    {
      args: struct({ callbackID: int }),
      result: nothing,
      priority: true,
      acl: ["connect:read"],
    },
  ),
} as const;
