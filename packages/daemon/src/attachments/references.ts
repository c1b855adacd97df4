import type { DiskBacking, DiskDocument, DiskSource, DomainDocument } from "@cistern/documents";
import type { AttachmentRole, Reference } from "./model.js";

/**
 * All that a guest's document names, in its order: each disk and what belongs to it, disks that could not be read, firmware, kernel,
 * TPM, file systems, devices of the host. Drives with nothing in them name nothing.
 */
export function referencesOf(document: DomainDocument): Reference[] {
  return [
    ...document.disks.flatMap(ofDisk),
    ...document.unreadDisks.map(({ target, reason }): Reference => {
      return { ...BARE, role: "disk", source: { type: "unread", reason }, isReadOnly: false, target };
    }),
    ...document.references.map(({ role, source, format, isReadOnly }) => {
      return { ...BARE, role, source, format, isReadOnly };
    }),
    ...document.scsiDevices.map(({ host, bus, target, unit, isReadOnly, isShareable }): Reference => {
      const source = { type: "scsi", host, bus, target, unit } as const;
      return { ...BARE, role: "hostdev", source, format: "raw", isReadOnly, isShareable };
    }),
  ];
}

const BARE = { format: null, isShareable: false, target: null, bus: null, address: null };

function ofDisk(disk: DiskDocument): Reference[] {
  const { target, bus, address, isShareable, mirror } = disk;
  const link = (role: AttachmentRole, source: DiskSource, format: string | null, isReadOnly: boolean): Reference[] => {
    return isEmptyDrive(source) ? [] : [{ role, source, format, isReadOnly, isShareable, target, bus, address }];
  };
  const dataOf = (store: DiskDocument["dataStore"], isReadOnly: boolean): Reference[] =>
    store === null ? [] : link("data-file", store.source, store.format, isReadOnly);
  const below = (backing: DiskBacking | "end" | null): Reference[] => {
    if (backing === null || backing === "end") return [];
    return [
      ...link("backing", backing.source, backing.format, true),
      ...dataOf(backing.dataStore, true),
      ...below(backing.backing),
    ];
  };
  // What is written to a transient disk goes elsewhere.
  const isReadOnly = disk.isReadOnly || disk.isTransient || disk.device === "cdrom";
  return [
    ...link(disk.device, disk.source, disk.driver.type, isReadOnly),
    ...dataOf(disk.dataStore, isReadOnly),
    ...below(disk.backing),
    ...(mirror === null || mirror.source === null ? [] : link("mirror", mirror.source, mirror.format, false)),
    ...below(mirror?.backing ?? null),
  ];
}

function isEmptyDrive(source: DiskSource): boolean {
  return "path" in source && source.path === null;
}
