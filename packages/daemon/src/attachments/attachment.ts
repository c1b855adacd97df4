import type { Attachment, AttachmentRole, AttachmentTime } from "./model.js";

/** The same for one guest, whichever source tells of it. */
export function guestOf({ domain }: Attachment): string {
  return domain.uuid ?? JSON.stringify([domain.source, domain.name]);
}

/** Roles in which a guest only reads, whatever its document says. Directories are shared on purpose. */
const READERS: ReadonlySet<AttachmentRole> = new Set<AttachmentRole>([
  "cdrom",
  "backing",
  "loader",
  "nvram-template",
  "kernel",
  "initrd",
  "dtb",
  "acpi-table",
  "filesystem",
]);

export function mayWrite({ role, isReadOnly }: Attachment): boolean {
  return !isReadOnly && !READERS.has(role);
}

const DRIVES: ReadonlySet<AttachmentRole> = new Set<AttachmentRole>(["disk", "lun", "cdrom", "floppy"]);

/** It is what the guest's document names as the disk, and nothing below or beside that. */
export function isDrive({ role }: Attachment): boolean {
  return DRIVES.has(role);
}

/** libvirt takes what is not said for raw: it does not look into what guests write. */
export function declaredFormat({ format }: Attachment): string {
  return format ?? "raw";
}

/** A data file is raw whatever is said. */
export function writesRaw(use: Attachment): boolean {
  const { role } = use;
  const isRaw = role === "data-file" || ((isDrive(use) || role === "mirror") && declaredFormat(use) === "raw");
  return isRaw && mayWrite(use);
}

export function isNow(when: AttachmentTime): boolean {
  return when !== "next-boot";
}

export function isAtNextBoot(when: AttachmentTime): boolean {
  return when !== "live";
}

/** How messages name it: "volume 'default/a.img'", or its place where it is none. */
export function titleOf({ volumes: [first], place }: Attachment): string {
  return first === undefined ? `'${place}'` : `volume '${first.pool}/${first.volume}'`;
}
