import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { opaque, uuid } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { int, nothing, uint } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import { secretReference, text } from "./shared.js";

const secretProcedure = procedureOf(ErrorDomain.SECRET);

/** Secrets: passphrases and keys that pools and volumes refer to. */
export const secrets = {
  connectNumOfSecrets: secretProcedure(139, "CONNECT_NUM_OF_SECRETS", "virConnectNumOfSecrets", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_secrets", "~secret:getattr"],
  }),
  connectListSecrets: secretProcedure(140, "CONNECT_LIST_SECRETS", "virConnectListSecrets", {
    args: struct({ maxuuids: int }),
    result: struct({ uuids: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_secrets", "~secret:getattr"],
  }),
  secretLookupByUuid: secretProcedure(141, "SECRET_LOOKUP_BY_UUID", "virSecretLookupByUUID", {
    args: struct({ uuid }),
    result: struct({ secret: secretReference }),
    priority: true,
    acl: ["secret:getattr"],
  }),
  secretDefineXml: secretProcedure(142, "SECRET_DEFINE_XML", "virSecretDefineXML", {
    args: struct({ xml: text, flags: uint }),
    result: struct({ secret: secretReference }),
    priority: true,
    requiresWrite: true,
    acl: ["secret:write", "secret:save"],
  }),
  secretGetXmlDesc: secretProcedure(143, "SECRET_GET_XML_DESC", "virSecretGetXMLDesc", {
    args: struct({ secret: secretReference, flags: uint }),
    result: struct({ xml: text }),
    priority: true,
    acl: ["secret:read"],
  }),
  secretSetValue: secretProcedure(144, "SECRET_SET_VALUE", "virSecretSetValue", {
    args: struct({ secret: secretReference, value: opaque(LIMITS.secretValueBytes), flags: uint }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["secret:write"],
  }),
  secretGetValue: secretProcedure(145, "SECRET_GET_VALUE", "virSecretGetValue", {
    args: struct({ secret: secretReference, flags: uint }),
    result: struct({ value: opaque(LIMITS.secretValueBytes) }),
    priority: true,
    requiresWrite: true,
    acl: ["secret:read_secure"],
  }),
  secretUndefine: secretProcedure(146, "SECRET_UNDEFINE", "virSecretUndefine", {
    args: struct({ secret: secretReference }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["secret:delete"],
  }),
  secretLookupByUsage: secretProcedure(147, "SECRET_LOOKUP_BY_USAGE", "virSecretLookupByUsage", {
    args: struct({ usageType: int, usageID: text }),
    result: struct({ secret: secretReference }),
    priority: true,
    acl: ["secret:getattr"],
  }),
  connectListAllSecrets: secretProcedure(287, "CONNECT_LIST_ALL_SECRETS", "virConnectListAllSecrets", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ secrets: array(secretReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_secrets", "~secret:getattr"],
  }),
  connectSecretEventRegisterAny: secretProcedure(
    380,
    "CONNECT_SECRET_EVENT_REGISTER_ANY",
    "virConnectSecretEventRegisterAny",
    {
      args: struct({ eventID: int, secret: optional(secretReference) }),
      result: struct({ callbackID: int }),
      priority: true,
      acl: ["connect:search_secrets", "~secret:getattr"],
    },
  ),
  connectSecretEventDeregisterAny: secretProcedure(
    381,
    "CONNECT_SECRET_EVENT_DEREGISTER_ANY",
    "virConnectSecretEventDeregisterAny",
    {
      args: struct({ callbackID: int }),
      result: nothing,
      priority: true,
      acl: ["connect:read"],
    },
  ),
} as const;
