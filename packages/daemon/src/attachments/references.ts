import type {
  DataStore,
  DiskBacking,
  DiskDocument,
  DiskSource,
  DomainDocument,
  DomainReference,
} from "@cistern/documents";
import type { Reference } from "./model.js";
import { unsaidSource } from "./state-places.js";

/**
 * All that a guest's document names, in its order: each disk and what belongs to it, disks that could not be read, firmware, kernel,
 * TPM, file systems, devices of the host. Drives with nothing in them name nothing.
 *
 * @param from the name of the document's source
 */
export function referencesOf(document: DomainDocument, from: string): Reference[] {
  return [
    ...document.disks.flatMap(ofDisk),
    ...document.unreadDisks.map(({ target, reason }): Reference => {
      return { ...BARE, role: "disk", source: { type: "unread", reason }, isReadOnly: false, target };
    }),
    ...document.references.flatMap((reference) => ofMachine(reference, document, from)),
    ...document.scsiDevices.map(({ host, bus, target, unit, isReadOnly, isShareable }): Reference => {
      const source = { type: "scsi", host, bus, target, unit } as const;
      return { ...BARE, role: "hostdev", source, format: "raw", isReadOnly, isShareable };
    }),
  ];
}

const BARE = {
  format: null,
  isShareable: false,
  target: null,
  bus: null,
  address: null,
  through: [],
  mayBeMissing: "never",
} as const;

function ofMachine(reference: DomainReference, document: DomainDocument, from: string): Reference[] {
  const { role, source, format, isReadOnly } = reference;
  if (source.type === "unsaid") {
    const presumed = unsaidSource(reference, document, from);
    return presumed === null ? [] : [{ ...BARE, role, source: presumed, format, isReadOnly, mayBeMissing: "always" }];
  }
  const isState = (role === "nvram" || role === "tpm") && source.type === "file";
  return [{ ...BARE, role, source, format, isReadOnly, mayBeMissing: isState ? "before-start" : "never" }];
}

function ofDisk(disk: DiskDocument): Reference[] {
  const { target, bus, address, isShareable, mirror } = disk;
  // What is written to a transient disk goes elsewhere.
  const isReadOnly = disk.isReadOnly || disk.isTransient || disk.device === "cdrom";
  // Whatever serves the socket may make it only when the guest starts.
  const mayBeMissing = disk.source.type === "vhostuser" ? "always" : "never";
  const common = { target, bus, address, isShareable, isReadOnly, through: [], mayBeMissing } as const;
  const top: Reference = { ...common, role: disk.device, source: disk.source, format: disk.driver.type };
  const all = [top, ...dataOf(disk.dataStore, top), ...below(disk.backing, top, [])];
  if (mirror !== null && mirror.source !== null) {
    const copy: Reference = { ...top, role: "mirror", source: mirror.source, format: mirror.format, isReadOnly: false };
    all.push(copy, ...below(mirror.backing, copy, []));
  }
  return all.filter(({ source }) => !isEmptyDrive(source));
}

function below(backing: DiskBacking | "end" | null, top: Reference, through: readonly DiskSource[]): Reference[] {
  if (backing === null || backing === "end") return [];
  const { source, format, dataStore } = backing;
  const link: Reference = { ...top, role: "backing", source, format, isReadOnly: true, through };
  const further = [...through, source];
  return [link, ...dataOf(dataStore, { ...link, through: further }), ...below(backing.backing, top, further)];
}

function dataOf(store: DataStore | null, image: Reference): Reference[] {
  return store === null ? [] : [{ ...image, role: "data-file", source: store.source, format: store.format }];
}

function isEmptyDrive(source: Reference["source"]): boolean {
  return "path" in source && source.path === null;
}
