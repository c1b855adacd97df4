import { ErrorDomain } from "../error-codes.js";
import { LIMITS } from "../limits.js";
import { array, optional, struct } from "../xdr/composites.js";
import { int, nothing, uint, unsignedHyper } from "../xdr/scalars.js";
import { procedureOf } from "./procedure.js";
import {
  filterReference,
  interfaceReference,
  networkReference,
  nodeDeviceReference,
  optionalText,
  text,
} from "./shared.js";

const domainProcedure = procedureOf(ErrorDomain.DOMAIN);
const networkProcedure = procedureOf(ErrorDomain.NETWORK);
const interfaceProcedure = procedureOf(ErrorDomain.INTERFACE);
const filterProcedure = procedureOf(ErrorDomain.NWFILTER);
const nodeDeviceProcedure = procedureOf(ErrorDomain.NODEDEV);

const statistic = struct({ field: text, value: unsignedHyper });

/**
 * What clients ask about networks, devices and the host while they connect. A storage daemon has none of them, and must
 * understand the questions to say so.
 */
export const other = {
  connectListNetworks: networkProcedure(38, "CONNECT_LIST_NETWORKS", "virConnectListNetworks", {
    args: struct({ maxnames: int }),
    result: struct({ names: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_networks", "~network:getattr"],
  }),
  connectNumOfDefinedNetworks: networkProcedure(
    50,
    "CONNECT_NUM_OF_DEFINED_NETWORKS",
    "virConnectNumOfDefinedNetworks",
    {
      args: nothing,
      result: struct({ num: int }),
      priority: true,
      acl: ["connect:search_networks", "~network:getattr"],
    },
  ),
  connectNumOfNetworks: networkProcedure(52, "CONNECT_NUM_OF_NETWORKS", "virConnectNumOfNetworks", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_networks", "~network:getattr"],
  }),
  nodeGetFreeMemory: domainProcedure(102, "NODE_GET_FREE_MEMORY", "virNodeGetFreeMemory", {
    args: nothing,
    result: struct({ freeMem: unsignedHyper }),
    priority: true,
    acl: ["connect:read"],
  }),
  nodeNumOfDevices: nodeDeviceProcedure(111, "NODE_NUM_OF_DEVICES", "virNodeNumOfDevices", {
    args: struct({ cap: optionalText, flags: uint }),
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_node_devices", "~node_device:getattr"],
  }),
  nodeListDevices: nodeDeviceProcedure(112, "NODE_LIST_DEVICES", "virNodeListDevices", {
    args: struct({ cap: optionalText, maxnames: int, flags: uint }),
    result: struct({ names: array(text, LIMITS.nodeDeviceItems) }),
    priority: true,
    acl: ["connect:search_node_devices", "~node_device:getattr"],
  }),
  nodeDeviceLookupByName: nodeDeviceProcedure(113, "NODE_DEVICE_LOOKUP_BY_NAME", "virNodeDeviceLookupByName", {
    args: struct({ name: text }),
    result: struct({ dev: nodeDeviceReference }),
    priority: true,
    acl: ["node_device:getattr"],
  }),
  nodeDeviceGetXmlDesc: nodeDeviceProcedure(114, "NODE_DEVICE_GET_XML_DESC", "virNodeDeviceGetXMLDesc", {
    args: struct({ name: text, flags: uint }),
    result: struct({ xml: text }),
    acl: ["node_device:read"],
  }),
  nodeDeviceGetParent: nodeDeviceProcedure(115, "NODE_DEVICE_GET_PARENT", "virNodeDeviceGetParent", {
    args: struct({ name: text }),
    result: struct({ parentName: optionalText }),
    priority: true,
    acl: ["node_device:read"],
  }),
  connectNumOfInterfaces: interfaceProcedure(126, "CONNECT_NUM_OF_INTERFACES", "virConnectNumOfInterfaces", {
    args: nothing,
    result: struct({ num: int }),
    priority: true,
    acl: ["connect:search_interfaces", "~interface:getattr"],
  }),
  connectListInterfaces: interfaceProcedure(127, "CONNECT_LIST_INTERFACES", "virConnectListInterfaces", {
    args: struct({ maxnames: int }),
    result: struct({ names: array(text, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_interfaces", "~interface:getattr"],
  }),
  nodeGetCpuStats: domainProcedure(227, "NODE_GET_CPU_STATS", "virNodeGetCPUStats", {
    args: struct({ cpuNum: int, nparams: int, flags: uint }),
    result: struct({ params: array(statistic, LIMITS.nodeStatisticsItems), nparams: int }),
    priority: true,
    acl: ["connect:read"],
  }),
  nodeGetMemoryStats: domainProcedure(228, "NODE_GET_MEMORY_STATS", "virNodeGetMemoryStats", {
    args: struct({ nparams: int, cellNum: int, flags: uint }),
    result: struct({ params: array(statistic, LIMITS.nodeStatisticsItems), nparams: int }),
    priority: true,
    acl: ["connect:read"],
  }),
  connectListAllNetworks: networkProcedure(283, "CONNECT_LIST_ALL_NETWORKS", "virConnectListAllNetworks", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ nets: array(networkReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_networks", "~network:getattr"],
  }),
  connectListAllInterfaces: interfaceProcedure(284, "CONNECT_LIST_ALL_INTERFACES", "virConnectListAllInterfaces", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ ifaces: array(interfaceReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_interfaces", "~interface:getattr"],
  }),
  connectListAllNodeDevices: nodeDeviceProcedure(285, "CONNECT_LIST_ALL_NODE_DEVICES", "virConnectListAllNodeDevices", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ devices: array(nodeDeviceReference, LIMITS.nodeDeviceItems), ret: uint }),
    priority: true,
    acl: ["connect:search_node_devices", "~node_device:getattr"],
  }),
  connectListAllNwfilters: filterProcedure(286, "CONNECT_LIST_ALL_NWFILTERS", "virConnectListAllNWFilters", {
    args: struct({ need_results: int, flags: uint }),
    result: struct({ filters: array(filterReference, LIMITS.listItems), ret: uint }),
    priority: true,
    acl: ["connect:search_nwfilters", "~nwfilter:getattr"],
  }),
  connectGetCpuModelNames: domainProcedure(312, "CONNECT_GET_CPU_MODEL_NAMES", "virConnectGetCPUModelNames", {
    args: struct({ arch: text, need_results: int, flags: uint }),
    result: struct({ models: array(text, LIMITS.cpuModelItems), ret: int }),
    acl: ["connect:read"],
  }),
  connectNetworkEventRegisterAny: networkProcedure(
    313,
    "CONNECT_NETWORK_EVENT_REGISTER_ANY",
    "virConnectNetworkEventRegisterAny",
    {
      args: struct({ eventID: int, net: optional(networkReference) }),
      result: struct({ callbackID: int }),
      priority: true,
      acl: ["connect:search_networks", "~network:getattr"],
    },
  ),
  connectNetworkEventDeregisterAny: networkProcedure(
    314,
    "CONNECT_NETWORK_EVENT_DEREGISTER_ANY",
    "virConnectNetworkEventDeregisterAny",
    {
      args: struct({ callbackID: int }),
      result: nothing,
      priority: true,
      acl: ["connect:read"],
    },
  ),
  connectNodeDeviceEventRegisterAny: nodeDeviceProcedure(
    374,
    "CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY",
    "virConnectNodeDeviceEventRegisterAny",
    {
      args: struct({ eventID: int, dev: optional(nodeDeviceReference) }),
      result: struct({ callbackID: int }),
      priority: true,
      acl: ["connect:search_node_devices", "~node_device:getattr"],
    },
  ),
  connectNodeDeviceEventDeregisterAny: nodeDeviceProcedure(
    375,
    "CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY",
    "virConnectNodeDeviceEventDeregisterAny",
    {
      args: struct({ callbackID: int }),
      result: nothing,
      priority: true,
      acl: ["connect:read"],
    },
  ),
} as const;
