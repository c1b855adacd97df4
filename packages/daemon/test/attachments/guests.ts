import { readDomain } from "@cistern/documents";
import type { KnownDomain } from "../../dist/attachments/model.js";

export interface GuestDisk {
  readonly target?: string;
  /** Attributes of `<source>`: `file='/x'`. */
  readonly source: string;
  /** What stands in `<source>`. */
  readonly inside?: string;
  readonly type?: string;
  readonly format?: string;
  readonly bus?: string;
  /** Further elements. */
  readonly more?: string;
}

/** A guest's document. `id`: of a running one. */
export function guestXml(name: string, disks: readonly GuestDisk[], id: number | null = null): string {
  const elements = disks.map(
    ({ target = "vda", source, inside = "", type = "file", format = "raw", bus = "virtio", more = "" }) =>
      `<disk type='${type}' device='disk'><driver name='qemu' type='${format}'/><source ${source}>${inside}</source>` +
      `<target dev='${target}' bus='${bus}'/>${more}</disk>`,
  );
  const running = id === null ? "" : ` id='${id}'`;
  return `<domain type='kvm'${running}><name>${name}</name><devices>${elements.join("")}</devices></domain>`;
}

/** As a source of definitions knows it, or one that tells what is used now. */
export function guest(
  name: string,
  disks: readonly GuestDisk[],
  when: "live" | "next-boot" = "next-boot",
): KnownDomain {
  const document = readDomain(guestXml(name, disks, when === "live" ? 1 : null));
  return {
    source: "test",
    name,
    uuid: null,
    state: when === "live" ? "running" : "shut off",
    isLive: when === "live",
    live: when === "live" ? document : null,
    persistent: when === "live" ? null : document,
    problem: null,
  };
}
