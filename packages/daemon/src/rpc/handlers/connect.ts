import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Call, Handlers } from "../call.js";
import type { Services } from "../services.js";

/** The libvirt release whose behaviour this daemon has: major × 1,000,000 + minor × 1,000 + release. */
const LIBVIRT_VERSION = 9_000_000n;

/** virDrvFeature numbers that libvirt's storage daemon answers with yes. */
const FEATURES: ReadonlySet<number> = new Set([8, 10, 14, 15]);
const FEATURE_KEEPALIVE = 10;
const OPEN_READ_ONLY = 1;
const CPU_MODEL_BYTES = 31;

/** The connection as such, and what the host says of itself. */
export function connectHandlers(services: Services): Handlers {
  const { host } = services;
  return {
    authList: () => ({ types: [0] }),
    authPolkit: refuseAuthentication,
    authSaslInit: refuseSasl,
    authSaslStart: refuseSasl,
    authSaslStep: refuseSasl,
    connectOpen: ({ name, flags }, { connection }) => connection.open(name, (flags & OPEN_READ_ONLY) !== 0),
    connectClose: (_args, { connection }) => connection.closeAfterReply(),
    connectSupportsFeature: ({ feature }, { connection }) => {
      if (feature === FEATURE_KEEPALIVE) connection.startKeepalive();
      return { supported: FEATURES.has(feature) ? 1 : 0 };
    },
    connectGetType: (_args, { connection }) => ({ type: connection.opened?.driver === "qemu" ? "QEMU" : "storage" }),
    connectGetUri: (_args, { connection }) => ({ uri: connection.opened?.uri ?? "" }),
    connectIsSecure: () => ({ secure: 1 }),
    connectGetLibVersion: () => ({ lib_ver: LIBVIRT_VERSION }),
    connectGetVersion: (_args, call) => {
      onlyAsQemu(call, "virConnectGetVersion");
      return { hv_ver: LIBVIRT_VERSION };
    },
    connectGetHostname: (_args, call) => {
      onlyAsQemu(call, "virConnectGetHostname");
      return { hostname: host.name };
    },
    nodeGetInfo: (_args, call) => {
      onlyAsQemu(call, "virNodeGetInfo");
      return {
        model: host.cpuModel.slice(0, CPU_MODEL_BYTES),
        memory: host.memoryKiB,
        cpus: host.cpuCount,
        mhz: host.cpuMhz,
        nodes: 1,
        sockets: 1,
        cores: host.cpuCount,
        threads: 1,
      };
    },
    connectGetCapabilities: () => ({ capabilities: services.documents.capabilities }),
    connectGetStoragePoolCapabilities: ({ flags }) => {
      LibvirtError.checkFlags(ErrorDomain.STORAGE, "storageConnectGetStoragePoolCapabilities", flags, 0);
      return { capabilities: services.documents.poolCapabilities };
    },
    connectRegisterCloseCallback: () => {},
    connectUnregisterCloseCallback: () => {},
    connectSetIdentity: async ({ params }, { caller, connection }) => {
      if (caller.readOnly) throw readOnlyIdentity();
      const facts = Object.fromEntries(params.map(({ field, value }) => [field, value.value]));
      const { "system.token": token, ...rest } = facts;
      const elevated = typeof token === "string" && (await services.isSystemToken(token));
      connection.identify(rest, elevated);
    },
  };
}

/** What libvirt's storage driver lacks and its hypervisor drivers have. */
export function onlyAsQemu(call: Call, api: string): void {
  if (call.connection.opened?.driver !== "qemu") throw LibvirtError.unsupported(ErrorDomain.DOMAIN, api);
}

/** No authentication is asked for on these sockets, so none can be had. */
function refuseAuthentication(): never {
  throw LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, "authentication required");
}

function refuseSasl(): never {
  throw LibvirtError.of(ErrorCode.AUTH_FAILED, ErrorDomain.RPC, "authentication failed");
}

function readOnlyIdentity(): LibvirtError {
  return LibvirtError.of(
    ErrorCode.OPERATION_DENIED,
    ErrorDomain.DOMAIN,
    "read only access prevents virConnectSetIdentity",
  );
}
