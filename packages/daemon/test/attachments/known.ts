import type { DomainDocument } from "@cistern/documents";
import type { Attachment, KnownDomain, SourceFacts } from "../../dist/attachments/model.js";

/** A disk of a running guest, defined as it runs. */
export function attachment(domain: string, place: string, more: Partial<Attachment> = {}): Attachment {
  return {
    domain: { source: "qemu:///system", name: domain, uuid: null, state: "running" },
    when: "both",
    role: "disk",
    format: "raw",
    isReadOnly: false,
    isShareable: false,
    target: "vda",
    bus: "virtio",
    address: null,
    place,
    identity: `path:${place}`,
    through: [],
    problem: null,
    volumes: [],
    ...more,
  };
}

export function inPool(pool: string, volume: string): Pick<Attachment, "volumes"> {
  return { volumes: [{ pool, volume }] };
}

export function source(more: Partial<SourceFacts> = {}): SourceFacts {
  return { name: "qemu:///system", kind: "connection", answers: true, since: 0, reason: null, domains: 1, ...more };
}

export function domain(name: string, persistent: Partial<DomainDocument> = {}): KnownDomain {
  const document: DomainDocument = {
    name,
    uuid: null,
    id: null,
    hypervisor: "kvm",
    disks: [],
    unreadDisks: [],
    references: [],
    scsiDevices: [],
    status: null,
    ...persistent,
  };
  return {
    source: "qemu:///system",
    name,
    uuid: null,
    state: "shut off",
    isLive: false,
    live: null,
    persistent: document,
    problem: null,
  };
}

/** As it is told of where everybody answers. */
export function known(
  all: readonly Attachment[],
  domains: readonly KnownDomain[] = [],
  sources: readonly SourceFacts[] = [source()],
  unknowns: readonly string[] = [],
) {
  return {
    all: () => all,
    domains: () => domains,
    sources: () => sources,
    unknowns: () => unknowns,
    ofVolume: (pool: string, volume: string) =>
      all.filter(({ volumes }) => volumes.some((one) => one.pool === pool && one.volume === volume)),
  };
}
