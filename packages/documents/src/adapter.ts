import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import type { PoolAdapter } from "./pool.js";
import { attribute, child, type XmlElement } from "./xml/element.js";
import { booleanProperty, enumProperty, parseInteger, unsignedProperty } from "./xml/properties.js";
import type { XmlWriter } from "./xml/write.js";

type ScsiHost = Extract<PoolAdapter, { type: "scsi_host" }>;
type FibreChannelHost = Extract<PoolAdapter, { type: "fc_host" }>;

/** Not the domain, which libvirt takes as it is. */
const PCI_LIMITS = [
  ["bus", 0xff, "0xFF"],
  ["slot", 0x1f, "0x1F"],
  ["function", 7, "7"],
] as const;

/**
 * Reads `<adapter>`: a SCSI host by name or by the PCI device it sits on, or a Fibre Channel host by world wide names.
 * null: it names neither type nor host, which to libvirt is no adapter.
 */
export function readAdapter(element: XmlElement): PoolAdapter | null {
  const type = enumProperty(element, "type", ["scsi_host", "fc_host"]);
  if (type === "fc_host") {
    return readFibreChannelHost(element);
  }
  if (type === "scsi_host") {
    return readScsiHost(element);
  }
  if (["wwnn", "wwpn", "parent"].some((name) => element.attributes.has(name))) {
    throw malformed("Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'");
  }
  if (child(element, "parentaddr") !== null) {
    throw malformed("Use of 'parentaddr' element requires use of the adapter 'type'");
  }
  const name = attribute(element, "name");
  return name === null ? null : { type: "scsi_host", name, parentAddress: null };
}

/** What can only be said of a whole adapter, checked after the rest of the pool. */
export function validateAdapter(adapter: PoolAdapter, element: XmlElement): void {
  if (adapter.type === "scsi_host") {
    validateScsiHost(adapter);
  } else {
    validateFibreChannelHost(adapter, element);
  }
}

export function writeAdapter(writer: XmlWriter, adapter: PoolAdapter): void {
  if (adapter.type === "fc_host") {
    writer.leaf("adapter", {
      type: adapter.type,
      parent: adapter.parent,
      parent_wwnn: adapter.parentWwnn,
      parent_wwpn: adapter.parentWwpn,
      parent_fabric_wwn: adapter.parentFabricWwn,
      managed: adapter.managed === null ? null : adapter.managed ? "yes" : "no",
      wwnn: adapter.wwnn,
      wwpn: adapter.wwpn,
    });
    return;
  }
  const address = adapter.parentAddress;
  if (address === null) {
    writer.leaf("adapter", { type: adapter.type, name: adapter.name });
    return;
  }
  writer
    .open("adapter", { type: adapter.type })
    .open("parentaddr", { unique_id: address.uniqueId })
    .leaf("address", {
      domain: hexadecimal(address.domain, 4),
      bus: hexadecimal(address.bus, 2),
      slot: hexadecimal(address.slot, 2),
      function: `0x${address.function}`, // at most 7
    })
    .close()
    .close();
}

function readScsiHost(element: XmlElement): ScsiHost {
  const name = attribute(element, "name");
  const parent = child(element, "parentaddr");
  if (parent === null) {
    return { type: "scsi_host", name, parentAddress: null };
  }
  const address = child(parent, "address");
  if (address === null) {
    throw malformed("Missing scsi_host PCI address element");
  }
  const pciAddress = readPciAddress(address);
  const uniqueId = parseInteger(parent.attributes.get("unique_id") ?? "", 10);
  if (uniqueId === null || uniqueId < 0) {
    throw malformed("Missing or invalid scsi adapter 'unique_id' value");
  }
  return { type: "scsi_host", name, parentAddress: { uniqueId, ...pciAddress } };
}

function readPciAddress(element: XmlElement): { domain: number; bus: number; slot: number; function: number } {
  const part = (name: string) => unsignedProperty(element, name) ?? 0;
  const address = { domain: part("domain"), bus: part("bus"), slot: part("slot"), function: part("function") };
  enumProperty(element, "multifunction", ["on", "off"]);
  if (address.domain === 0 && address.bus === 0 && address.slot === 0) {
    return address; // an address that says nothing is not checked
  }
  for (const [name, largest, shown] of PCI_LIMITS) {
    if (address[name] > largest) {
      const value = hexadecimal(address[name], 0);
      const detail = `Invalid PCI address ${name}=${name === "function" ? value : `'${value}'`}, must be <= ${shown}`;
      throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.NONE, detail);
    }
  }
  return address;
}

function readFibreChannelHost(element: XmlElement): FibreChannelHost {
  return {
    type: "fc_host",
    parent: attribute(element, "parent"),
    parentWwnn: attribute(element, "parent_wwnn"),
    parentWwpn: attribute(element, "parent_wwpn"),
    parentFabricWwn: attribute(element, "parent_fabric_wwn"),
    managed: booleanProperty(element, "managed"),
    wwnn: attribute(element, "wwnn") ?? "", // required by validateAdapter
    wwpn: attribute(element, "wwpn") ?? "",
  };
}

function validateScsiHost({ name, parentAddress }: ScsiHost): void {
  if (name === null && parentAddress === null) {
    throw malformed("Either 'name' or 'parent' must be specified for the 'scsi_host' adapter");
  }
  if (name !== null && parentAddress !== null) {
    throw malformed("Both 'name' and 'parent' cannot be specified for the 'scsi_host' adapter");
  }
}

function validateFibreChannelHost(adapter: FibreChannelHost, element: XmlElement): void {
  if (!element.attributes.has("wwnn") || !element.attributes.has("wwpn")) {
    throw malformed("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'");
  }
  validateWorldWideName(adapter.wwnn);
  validateWorldWideName(adapter.wwpn);
  const { parentWwnn, parentWwpn, parentFabricWwn } = adapter;
  if (parentWwnn !== null && parentWwpn === null) {
    throw malformed(`when providing parent_wwnn='${parentWwnn}', the parent_wwpn must also be provided`);
  }
  if (parentWwpn !== null && parentWwnn === null) {
    throw malformed(`when providing parent_wwpn='${parentWwpn}', the parent_wwnn must also be provided`);
  }
  for (const wwn of [parentWwnn, parentWwpn, parentFabricWwn]) {
    if (wwn !== null) {
      validateWorldWideName(wwn);
    }
  }
}

function validateWorldWideName(wwn: string): void {
  if (!/^(?:0x)?[0-9a-fA-F]{16}$/.test(wwn)) {
    throw new DocumentError(DocumentErrorCode.INTERNAL, DocumentErrorDomain.NONE, `Malformed wwn: ${wwn}`);
  }
}

function hexadecimal(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

function malformed(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, detail);
}
