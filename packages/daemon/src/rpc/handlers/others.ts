import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Call, Handlers } from "../call.js";

/**
 * Procedures of libvirt's other drivers, which management tools call while they connect. Opened as "qemu", the host
 * has none of these objects; opened as "storage", the calls are not supported, as in libvirt.
 */
export function otherHandlers(): Handlers {
  return {
    connectListAllDomains: none(ErrorDomain.DOMAIN, "virConnectListAllDomains", { domains: [], ret: 0 }),
    connectNumOfDomains: none(ErrorDomain.DOMAIN, "virConnectNumOfDomains", { num: 0 }),
    connectListDomains: none(ErrorDomain.DOMAIN, "virConnectListDomains", { ids: [] }),
    connectNumOfDefinedDomains: none(ErrorDomain.DOMAIN, "virConnectNumOfDefinedDomains", { num: 0 }),
    connectListDefinedDomains: none(ErrorDomain.DOMAIN, "virConnectListDefinedDomains", { names: [] }),
    connectListAllNetworks: none(ErrorDomain.NETWORK, "virConnectListAllNetworks", { nets: [], ret: 0 }),
    connectNumOfNetworks: none(ErrorDomain.NETWORK, "virConnectNumOfNetworks", { num: 0 }),
    connectListNetworks: none(ErrorDomain.NETWORK, "virConnectListNetworks", { names: [] }),
    connectNumOfDefinedNetworks: none(ErrorDomain.NETWORK, "virConnectNumOfDefinedNetworks", { num: 0 }),
    connectListAllInterfaces: none(ErrorDomain.INTERFACE, "virConnectListAllInterfaces", { ifaces: [], ret: 0 }),
    connectNumOfInterfaces: none(ErrorDomain.INTERFACE, "virConnectNumOfInterfaces", { num: 0 }),
    connectListInterfaces: none(ErrorDomain.INTERFACE, "virConnectListInterfaces", { names: [] }),
    connectListAllNodeDevices: none(ErrorDomain.NODEDEV, "virConnectListAllNodeDevices", { devices: [], ret: 0 }),
    nodeNumOfDevices: none(ErrorDomain.NODEDEV, "virNodeNumOfDevices", { num: 0 }),
    nodeListDevices: none(ErrorDomain.NODEDEV, "virNodeListDevices", { names: [] }),
    connectListAllNwfilters: none(ErrorDomain.NWFILTER, "virConnectListAllNWFilters", { filters: [], ret: 0 }),
    connectDomainEventCallbackRegisterAny: ({ eventID }, call) => {
      asQemu(call, ErrorDomain.DOMAIN, "virConnectDomainEventRegisterAny");
      return { callbackID: call.connection.subscriptions.register("domain", eventID, null) };
    },
    connectDomainEventCallbackDeregisterAny: ({ callbackID }, call) =>
      call.connection.subscriptions.deregister("domain", callbackID),
    connectNetworkEventRegisterAny: ({ eventID }, call) => {
      asQemu(call, ErrorDomain.NETWORK, "virConnectNetworkEventRegisterAny");
      return { callbackID: call.connection.subscriptions.register("network", eventID, null) };
    },
    connectNetworkEventDeregisterAny: ({ callbackID }, call) =>
      call.connection.subscriptions.deregister("network", callbackID),
    connectNodeDeviceEventRegisterAny: ({ eventID }, call) => {
      asQemu(call, ErrorDomain.NODEDEV, "virConnectNodeDeviceEventRegisterAny");
      return { callbackID: call.connection.subscriptions.register("node device", eventID, null) };
    },
    connectNodeDeviceEventDeregisterAny: ({ callbackID }, call) =>
      call.connection.subscriptions.deregister("node device", callbackID),
  };
}

/** The answer of a host without such objects. */
function none<Answer>(domain: ErrorDomain, api: string, answer: Answer): (args: unknown, call: Call) => Answer {
  return (_args, call) => {
    asQemu(call, domain, api);
    return answer;
  };
}

function asQemu(call: Call, domain: ErrorDomain, api: string): void {
  if (call.connection.opened?.driver !== "qemu") throw LibvirtError.unsupported(domain, api);
}
