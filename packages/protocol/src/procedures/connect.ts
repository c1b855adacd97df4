import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { fixedChars } from "../xdr/bytes.js";
import { array, struct } from "../xdr/composites.js";
import { int, nothing, uint, unsignedHyper } from "../xdr/scalars.js";
import { typedParameter } from "../xdr/typed-parameter.js";
import { procedureOf } from "./procedure.js";
import { optionalText, text } from "./shared.js";

const connectProcedure = procedureOf(ErrorDomain.DOMAIN);

/** The connection as such: opening, closing, and what the host says about itself. */
export const connect = {
  connectOpen: connectProcedure(1, "CONNECT_OPEN", "virConnectOpen", {
    args: struct({ name: optionalText, flags: uint }),
    result: nothing,
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectClose: connectProcedure(2, "CONNECT_CLOSE", "virConnectClose", {
    args: nothing,
    result: nothing,
    priority: true,
    acl: [],
  }),
  connectGetType: connectProcedure(3, "CONNECT_GET_TYPE", "virConnectGetType", {
    args: nothing,
    result: struct({ type: text }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectGetVersion: connectProcedure(4, "CONNECT_GET_VERSION", "virConnectGetVersion", {
    args: nothing,
    result: struct({ hv_ver: unsignedHyper }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectGetMaxVcpus: connectProcedure(5, "CONNECT_GET_MAX_VCPUS", "virConnectGetMaxVcpus", {
    args: struct({ type: optionalText }),
    result: struct({ max_vcpus: int }),
    priority: true,
    acl: ["connect:read"],
  }),
  nodeGetInfo: connectProcedure(6, "NODE_GET_INFO", "virNodeGetInfo", {
    args: nothing,
    result: struct({
      model: fixedChars(LIMITS.cpuModelNameBytes),
      memory: unsignedHyper,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    }),
    priority: true,
    acl: ["connect:read"],
  }),
  connectGetCapabilities: connectProcedure(7, "CONNECT_GET_CAPABILITIES", "virConnectGetCapabilities", {
    args: nothing,
    result: struct({ capabilities: text }),
    acl: ["connect:read"],
  }),
  connectGetHostname: connectProcedure(59, "CONNECT_GET_HOSTNAME", "virConnectGetHostname", {
    args: nothing,
    result: struct({ hostname: text }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectSupportsFeature: connectProcedure(60, "CONNECT_SUPPORTS_FEATURE", "virConnectSupportsFeature", {
    args: struct({ feature: int }),
    result: struct({ supported: int }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectGetUri: connectProcedure(110, "CONNECT_GET_URI", "virConnectGetURI", {
    args: nothing,
    result: struct({ uri: text }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectIsSecure: connectProcedure(149, "CONNECT_IS_SECURE", "virConnectIsSecure", {
    args: nothing,
    result: struct({ secure: int }),
    priority: true,
    acl: [],
  }),
  connectGetLibVersion: connectProcedure(157, "CONNECT_GET_LIB_VERSION", "virConnectGetLibVersion", {
    args: nothing,
    result: struct({ lib_ver: unsignedHyper }),
    priority: true,
    acl: ["connect:getattr"],
  }),
  connectGetSysinfo: connectProcedure(203, "CONNECT_GET_SYSINFO", "virConnectGetSysinfo", {
    args: struct({ flags: uint }),
    result: struct({ sysinfo: text }),
    priority: true,
    acl: ["connect:read"],
  }),
  connectGetDomainCapabilities: connectProcedure(
    342,
    "CONNECT_GET_DOMAIN_CAPABILITIES",
    "virConnectGetDomainCapabilities",
    {
      args: struct({
        emulatorbin: optionalText,
        arch: optionalText,
        machine: optionalText,
        virttype: optionalText,
        flags: uint,
      }),
      result: struct({ capabilities: text }),
      requiresWrite: true,
      acl: ["connect:write"],
    },
  ),
  connectRegisterCloseCallback: connectProcedure(
    360,
    "CONNECT_REGISTER_CLOSE_CALLBACK",
    "virConnectRegisterCloseCallback",
    {
      args: nothing,
      result: nothing,
      priority: true,
      acl: ["connect:getattr"],
    },
  ),
  connectUnregisterCloseCallback: connectProcedure(
    361,
    "CONNECT_UNREGISTER_CLOSE_CALLBACK",
    "virConnectUnregisterCloseCallback",
    {
      args: nothing,
      result: nothing,
      priority: true,
      acl: ["connect:getattr"],
    },
  ),
  connectSetIdentity: connectProcedure(419, "CONNECT_SET_IDENTITY", "virConnectSetIdentity", {
    args: struct({ params: array(typedParameter, LIMITS.identityParameters), flags: uint }),
    result: nothing,
    acl: ["connect:write"],
  }),
} as const;
