import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { charArray } from "../xdr/bytes.js";
import { array, struct } from "../xdr/composites.js";
import { int, nothing } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import { text } from "./shared.js";

const authProcedure = procedureOf(ErrorDomain.RPC);

/** Who is calling. These, and keepalive, are all that an unknown caller may use. */
export const auth = {
  authList: authProcedure(66, "AUTH_LIST", "virConnectOpenAuth", {
    args: nothing,
    result: struct({ types: array(int, LIMITS.authTypes) }),
    priority: true,
    acl: [],
  }),
  authSaslInit: authProcedure(67, "AUTH_SASL_INIT", "virConnectOpenAuth", {
    args: nothing,
    result: struct({ mechlist: text }),
    priority: true,
    acl: [],
  }),
  authSaslStart: authProcedure(68, "AUTH_SASL_START", "virConnectOpenAuth", {
    args: struct({ mech: text, nil: int, data: charArray(LIMITS.saslDataBytes) }),
    result: struct({ complete: int, nil: int, data: charArray(LIMITS.saslDataBytes) }),
    priority: true,
    acl: [],
  }),
  authSaslStep: authProcedure(69, "AUTH_SASL_STEP", "virConnectOpenAuth", {
    args: struct({ nil: int, data: charArray(LIMITS.saslDataBytes) }),
    result: struct({ complete: int, nil: int, data: charArray(LIMITS.saslDataBytes) }),
    priority: true,
    acl: [],
  }),
  authPolkit: authProcedure(70, "AUTH_POLKIT", "virConnectOpenAuth", {
    args: nothing,
    result: struct({ complete: int }),
    priority: true,
    acl: [],
  }),
} as const;
