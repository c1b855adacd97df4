import type { DiskDocument, DiskSource } from "./disk.js";

/** What a file or device beside the disks is to its guest. */
export type ReferenceRole =
  | "loader"
  | "nvram"
  /** What a new guest's variables are copied from. */
  | "nvram-template"
  | "kernel"
  | "initrd"
  | "dtb"
  | "acpi-table"
  | "tpm"
  | "filesystem"
  /** A SCSI device of the host that is reached by iSCSI. */
  | "hostdev";

/** Of state that the hypervisor keeps in a directory of its own, and of which the document does not say where. */
export interface UnsaidPlace {
  readonly type: "unsaid";
  /** Of a TPM: `1.2`, `2.0`; null: not said, or no TPM. */
  readonly version: string | null;
}

export interface DomainReference {
  readonly role: ReferenceRole;
  readonly source: DiskSource | UnsaidPlace;
  /** null: not said. */
  readonly format: string | null;
  readonly isReadOnly: boolean;
}

/** A SCSI device of the host, by its address there. */
export interface ScsiHostDevice {
  /** 0 of `scsi_host0`. */
  readonly host: number;
  readonly bus: number;
  readonly target: number;
  readonly unit: number;
  readonly isReadOnly: boolean;
  readonly isShareable: boolean;
}

/** What libvirt keeps of a running guest beside its document. */
export interface DomainStatus {
  /** `running`, `paused` … */
  readonly state: string;
  readonly reason: string | null;
  readonly pid: number | null;
}

/** A disk that is not understood. It may be anything: what it uses is not known. */
export interface UnreadDisk {
  /** null: it does not even say that. */
  readonly target: string | null;
  readonly reason: string;
}

/** A guest, as much of it as storage has to do with. */
export interface DomainDocument {
  readonly name: string;
  /** Lower case, 8-4-4-4-12; null: not said. */
  readonly uuid: string | null;
  /** Of a running one. */
  readonly id: number | null;
  /** `kvm`, `qemu`, `test` … */
  readonly hypervisor: string;
  readonly disks: readonly DiskDocument[];
  readonly unreadDisks: readonly UnreadDisk[];
  readonly references: readonly DomainReference[];
  readonly scsiDevices: readonly ScsiHostDevice[];
  /** null: not of a status file. */
  readonly status: DomainStatus | null;
}
