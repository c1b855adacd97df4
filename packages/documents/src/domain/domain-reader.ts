import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import { parseUuid } from "../uuid.js";
import { attribute, child, childAttribute, children, childText, descendants, type XmlElement } from "../xml/element.js";
import { parseDocument } from "../xml/parse.js";
import type { DiskDocument, DiskSource } from "./disk.js";
import { readDiskElement, readDiskSource } from "./disk-reader.js";
import type {
  DomainDocument,
  DomainReference,
  DomainStatus,
  ReferenceRole,
  ScsiHostDevice,
  UnreadDisk,
} from "./domain.js";

/**
 * Reads a domain's document: as a connection gives it, as libvirt keeps definitions (`/etc/libvirt/qemu/NAME.xml`), or as it
 * keeps those of running ones (`/run/libvirt/qemu/NAME.xml`, a `<domstatus>` around it). A disk that is not understood
 * hides no other one.
 *
 * @throws DocumentError 35/20 for what is not well-formed, 27/5 for another root, 27/20 without a name
 */
export function readDomain(xml: string): DomainDocument {
  const root = parseDocument(xml, {
    kind: "domain_definition",
    domain: DocumentErrorDomain.DOMAIN,
    root: ["domain", "domstatus"],
  });
  const domain = root.name === "domain" ? root : child(root, "domain");
  if (domain === null) throw failure("missing domain in a status document");
  const name = childText(domain, "name");
  if (name === null) throw failure("missing name of a domain");
  const { disks, unreadDisks } = readDisks(domain);
  const hostDevices = descendants(domain, "devices/hostdev").filter((device) => attribute(device, "type") === "scsi");
  return {
    name,
    uuid: parseUuid(childText(domain, "uuid") ?? ""),
    id: numberOf(attribute(domain, "id")),
    hypervisor: attribute(domain, "type") ?? "",
    disks,
    unreadDisks,
    references: [
      ...readFirmware(domain),
      ...descendants(domain, "devices/filesystem").flatMap(readFileSystem),
      ...descendants(domain, "devices/tpm").flatMap(readTpm),
      ...hostDevices.flatMap(readIscsiDevice),
    ],
    scsiDevices: hostDevices.flatMap(readScsiDevice),
    status: root.name === "domain" ? null : readStatus(root),
  };
}

function readDisks(domain: XmlElement): { readonly disks: DiskDocument[]; readonly unreadDisks: UnreadDisk[] } {
  const disks: DiskDocument[] = [];
  const unreadDisks: UnreadDisk[] = [];
  for (const element of descendants(domain, "devices/disk")) {
    try {
      disks.push(readDiskElement(element));
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      unreadDisks.push({ target: childAttribute(element, "target", "dev") || null, reason: error.message });
    }
  }
  return { disks, unreadDisks };
}

function readStatus(root: XmlElement): DomainStatus {
  return {
    state: attribute(root, "state") ?? "",
    reason: attribute(root, "reason") || null,
    pid: numberOf(attribute(root, "pid")),
  };
}

function readFirmware(domain: XmlElement): DomainReference[] {
  const os = child(domain, "os");
  if (os === null) return [];
  const loader = child(os, "loader");
  return [
    ...file("loader", childText(os, "loader"), {
      isReadOnly: loader !== null && attribute(loader, "readonly") === "yes",
      format: loader === null ? null : attribute(loader, "format") || null,
    }),
    ...readNvram(os, loader),
    ...file("kernel", childText(os, "kernel")),
    ...file("initrd", childText(os, "initrd")),
    ...file("dtb", childText(os, "dtb")),
    ...descendants(os, "acpi/table").flatMap((table) => file("acpi-table", ownText(table))),
  ];
}

/** A path, or since libvirt 8.5 a source like a disk's; firmware that needs variables has them even where nothing is said. */
function readNvram(os: XmlElement, loader: XmlElement | null): DomainReference[] {
  const nvram = child(os, "nvram");
  const unsaid: DomainReference = { role: "nvram", source: UNSAID, format: null, isReadOnly: false };
  if (nvram === null) return hasVariables(os, loader) ? [unsaid] : [];
  const format = attribute(nvram, "format") || null;
  const template = file("nvram-template", attribute(nvram, "template") || null, {
    format: attribute(nvram, "templateFormat") || null,
  });
  if (child(nvram, "source") === null) {
    const said = file("nvram", ownText(nvram), { isReadOnly: false, format });
    return [...(said.length > 0 ? said : [{ ...unsaid, format }]), ...template];
  }
  const source = sourceOf(nvram, attribute(nvram, "type") || "file");
  return [...(source === null ? [] : [{ role: "nvram", source, format, isReadOnly: false } as const]), ...template];
}

const UNSAID = { type: "unsaid", version: null } as const;

/** Firmware that libvirt chooses at the start, or code in flash memory that is only read. */
function hasVariables(os: XmlElement, loader: XmlElement | null): boolean {
  if (loader !== null && attribute(loader, "stateless") === "yes") return false;
  if (attribute(os, "firmware") === "efi") return true;
  return loader !== null && attribute(loader, "type") === "pflash" && attribute(loader, "readonly") === "yes";
}

const FILE_SYSTEM_SOURCES: Readonly<Record<string, DiskSource["type"]>> = {
  mount: "dir",
  bind: "dir",
  file: "file",
  block: "block",
  volume: "volume",
};

/** One that lies in memory uses nothing. */
function readFileSystem(element: XmlElement): DomainReference[] {
  const type = FILE_SYSTEM_SOURCES[attribute(element, "type") || "mount"];
  const source = type === undefined ? null : sourceOf(element, type);
  // virtiofsd that somebody else runs: its socket says nothing of what is behind it.
  if (source === null || (source.type === "dir" && source.path === null)) return [];
  const format = childAttribute(element, "driver", "format") || null;
  return [{ role: "filesystem", source, format, isReadOnly: child(element, "readonly") !== null }];
}

/** An emulator's state; a TPM of the host, or one that somebody else emulates, keeps its own. */
function readTpm(element: XmlElement): DomainReference[] {
  const backend = child(element, "backend");
  if (backend === null || attribute(backend, "type") !== "emulator") return [];
  const path = childAttribute(backend, "source", "path") || null;
  if (path !== null) return file("tpm", path, { isReadOnly: false });
  const version = attribute(backend, "version") || null;
  return [{ role: "tpm", source: { type: "unsaid", version }, format: null, isReadOnly: false }];
}

function readIscsiDevice(element: XmlElement): DomainReference[] {
  const source = child(element, "source");
  if (source === null || attribute(source, "protocol") !== "iscsi") return [];
  const read = sourceOf(element, "network");
  const isReadOnly = child(element, "readonly") !== null;
  return read === null ? [] : [{ role: "hostdev", source: read, format: "raw", isReadOnly }];
}

function readScsiDevice(element: XmlElement): ScsiHostDevice[] {
  const [source] = children(element, "source");
  const host = /^scsi_host(\d+)$/.exec((source && childAttribute(source, "adapter", "name")) || "")?.[1];
  if (source === undefined || host === undefined) return [];
  const part = (name: string): number => numberOf(childAttribute(source, "address", name)) ?? 0;
  return [
    {
      host: Number(host),
      bus: part("bus"),
      target: part("target"),
      unit: part("unit"),
      isReadOnly: child(element, "readonly") !== null,
      isShareable: child(element, "shareable") !== null,
    },
  ];
}

/** null: it is not said, or not understood. */
function sourceOf(element: XmlElement, type: string): DiskSource | null {
  try {
    return readDiskSource(element, type);
  } catch (error) {
    if (error instanceof DocumentError) return null;
    throw error;
  }
}

function file(
  role: ReferenceRole,
  path: string | null,
  { isReadOnly = true, format = null }: { readonly isReadOnly?: boolean; readonly format?: string | null } = {},
): DomainReference[] {
  return path === null ? [] : [{ role, source: { type: "file", path }, format, isReadOnly }];
}

function ownText(element: XmlElement): string | null {
  const text = element.children.filter((node) => typeof node === "string").join("");
  return text.trim() || null;
}

function numberOf(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function failure(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.DOMAIN, detail);
}
