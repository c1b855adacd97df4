import type { PoolDocument, PoolHost, PoolSource, PoolType } from "@cistern/documents";

/**
 * Whether two pools of different names would manage the same storage, by libvirt's rules: what is compared depends on
 * the type. Facts of SCSI hosts that only /sys knows are resolved by the driver to come; here names are compared.
 */
export function sourcesConflict(wanted: PoolDocument, other: PoolDocument): boolean {
  return CONFLICT_RULES[wanted.type](wanted, other);
}

type Rule = (wanted: PoolDocument, other: PoolDocument) => boolean;

const never: Rule = () => false;
const ofSameType =
  (rule: Rule): Rule =>
  (wanted, other) =>
    wanted.type === other.type && rule(wanted, other);

/** Types whose pools own whole block devices: any two of them may claim the same one. */
const DEVICE_TYPES: ReadonlySet<PoolType> = new Set(["fs", "logical", "disk", "zfs"]);
const sameDevice: Rule = (wanted, other) => DEVICE_TYPES.has(other.type) && shareDevice(wanted.source, other.source);

const CONFLICT_RULES: Readonly<Record<PoolType, Rule>> = {
  dir: ofSameType((wanted, other) => wanted.target.path === other.target.path),
  netfs: ofSameType(
    (wanted, other) => wanted.source.directory === other.source.directory && sameHost(wanted.source, other.source),
  ),
  gluster: ofSameType(
    (wanted, other) =>
      wanted.source.name === other.source.name &&
      wanted.source.directory === other.source.directory &&
      sameHost(wanted.source, other.source),
  ),
  scsi: ofSameType((wanted, other) => sameAdapter(wanted.source, other.source)),
  iscsi: ofSameType(
    (wanted, other) =>
      shareDevice(wanted.source, other.source) && wanted.source.initiatorIqn === other.source.initiatorIqn,
  ),
  fs: sameDevice,
  logical: sameDevice,
  disk: sameDevice,
  zfs: sameDevice,
  mpath: ofSameType(() => true),
  vstorage: ofSameType((wanted, other) => wanted.source.name === other.source.name),
  rbd: never,
  "iscsi-direct": never,
  sheepdog: never,
};

function shareDevice(wanted: PoolSource, other: PoolSource): boolean {
  return wanted.devices.some((device) => other.devices.some(({ path }) => path === device.path));
}

/** Of one host each; a port is compared only when the new pool says one. */
function sameHost(wanted: PoolSource, other: PoolSource): boolean {
  const [wantedHost] = wanted.hosts;
  const [otherHost] = other.hosts;
  if (wanted.hosts.length !== 1 && other.hosts.length !== 1) return false;
  if (wantedHost === undefined || otherHost === undefined) return false;
  return wantedHost.name === otherHost.name && samePort(wantedHost, otherHost);
}

function samePort(wanted: PoolHost, other: PoolHost): boolean {
  return wanted.port === 0 || wanted.port === other.port;
}

function sameAdapter(wanted: PoolSource, other: PoolSource): boolean {
  const a = wanted.adapter;
  const b = other.adapter;
  if (a === null || b === null) return false;
  if (a.type === "fc_host" && b.type === "fc_host") return a.wwnn === b.wwnn && a.wwpn === b.wwpn;
  if (a.type === "fc_host") return b.type === "scsi_host" && sameHostNumber(a.parent, b.name);
  if (b.type === "fc_host") return sameHostNumber(a.name, b.parent);
  if (a.parentAddress !== null && b.parentAddress !== null) {
    return (
      a.parentAddress.uniqueId === b.parentAddress.uniqueId &&
      a.parentAddress.domain === b.parentAddress.domain &&
      a.parentAddress.bus === b.parentAddress.bus &&
      a.parentAddress.slot === b.parentAddress.slot &&
      a.parentAddress.function === b.parentAddress.function
    );
  }
  return sameHostNumber(a.name, b.name);
}

function sameHostNumber(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && hostNumber(a) !== null && hostNumber(a) === hostNumber(b);
}

/** "scsi_host3" and "host3" are the same host. */
function hostNumber(name: string): string | null {
  return /^(?:scsi_)?host(\d+)$/.exec(name)?.[1] ?? null;
}
