import { posix } from "node:path";
import type { DiskSource, NetworkHost, PoolDocument, VolumeDocument } from "@cistern/documents";

/** A source on other machines' storage. */
export type NetworkSource = Extract<DiskSource, { readonly type: "network" }>;

/**
 * How a person writes it: `rbd:pool/image@snapshot`, `gluster://host/volume/path`, `iscsi://host:3260/iqn…/1`, `https://host/path?query`.
 * rbd has no host in it: its monitors are one cluster, whichever of them is named.
 */
export function remotePlace(source: NetworkSource): string {
  const { protocol, hosts, name, snapshot, query } = source;
  const at = snapshot === null ? "" : `@${snapshot}`;
  if (protocol === "rbd" || protocol === "sheepdog" || hosts.length === 0) return `${protocol}:${name ?? ""}${at}`;
  const path = name === null ? "" : `/${name.replace(/^\//, "")}`;
  return `${protocol}://${hosts.map(hostText).join(",")}${path}${at}${query === null ? "" : `?${query}`}`;
}

/**
 * The same for the same image. What names itself for all the world (an IQN with a LUN) or for a cluster that one knows (rbd,
 * gluster) goes without hosts, which may be written as a name or an address, and any of which may be left out.
 */
export function remoteIdentity({ protocol, hosts, name, query }: NetworkSource): string {
  const path = (name ?? "").replace(/^\/+/, "");
  switch (protocol) {
    case "rbd":
    case "gluster":
    case "sheepdog":
      return `${protocol}:${path}`;
    case "iscsi":
      return `iscsi:${withLun(path)}`;
    default: {
      const [host] = hosts.map(hostText).sort();
      return `${protocol}://${host ?? ""}/${path}${query === null ? "" : `?${query}`}`;
    }
  }
}

/** Of an iSCSI source: `iqn…/1`; no LUN is 0. */
export function iscsiUnit(source: NetworkSource): { readonly target: string; readonly lun: number } | null {
  if (source.protocol !== "iscsi" || source.name === null) return null;
  const [target = "", lun = "0"] = withLun(source.name).split("/");
  return /^\d+$/.test(lun) ? { target, lun: Number(lun) } : null;
}

/**
 * What an image's header calls its backing file, as far as that is a name with a protocol: `rbd:pool/image@snapshot:options`,
 * `gluster+tcp://host/volume/path`, `iscsi://host/iqn…/1`, `nbd://host:10809/export`. null: nothing known.
 */
export function networkSourceOf(name: string): NetworkSource | null {
  const bare = { type: "network", authentication: null, initiatorIqn: null, snapshot: null, query: null } as const;
  const rbd = /^rbd:([^:@]+)(?:@([^:]+))?/.exec(name);
  if (rbd !== null) return { ...bare, protocol: "rbd", name: rbd[1] ?? "", hosts: [], snapshot: rbd[2] ?? null };
  const uri = /^([a-z]+)(?:\+[a-z]+)?:\/\/(?:[^/@]*@)?([^/?]*)\/?([^?]*)(?:\?(.*))?$/.exec(name);
  if (uri === null) return null;
  const [, protocol = "", host = "", path = "", query = null] = uri;
  const [, hostName = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const hosts = host === "" ? [] : [{ name: hostName, port: Number(port) || null, transport: null, socket: null }];
  return { ...bare, protocol, name: path, hosts, query };
}

/** Whether a volume of a pool of other machines' storage is what the source names. Unknown hosts may be any. */
export function isRemoteVolume(pool: PoolDocument, volume: VolumeDocument, source: NetworkSource): boolean {
  const { hosts } = source;
  const identity = remoteIdentity(source);
  const { name, directory } = pool.source;
  switch (pool.type) {
    case "rbd":
      return identity === `rbd:${name}/${volume.name}` && mayMeet(pool, hosts);
    case "gluster":
      return identity === `gluster:${posix.join(name ?? "", directory ?? "", volume.name)}` && mayMeet(pool, hosts);
    case "sheepdog":
      return identity === `sheepdog:${volume.name}` && mayMeet(pool, hosts);
    case "iscsi-direct": {
      const target = pool.source.devices[0]?.path ?? "";
      return volume.target.path?.endsWith(`-iscsi-${target}-lun-${iscsiUnit(source)?.lun}`) === true
        ? identity.startsWith(`iscsi:${target}/`)
        : false;
    }
    default:
      return false;
  }
}

/** Two lists of one cluster's machines need have only one in common, and say nothing where one is empty. */
function mayMeet({ source }: PoolDocument, hosts: readonly NetworkHost[]): boolean {
  const named = hosts.flatMap(({ name }) => (name === null ? [] : [name]));
  return named.length === 0 || source.hosts.length === 0 || source.hosts.some(({ name }) => named.includes(name));
}

function withLun(name: string): string {
  return name.includes("/") ? name : `${name}/0`;
}

function hostText({ name, port, socket }: NetworkHost): string {
  if (name === null) return `unix:${socket ?? ""}`;
  const text = name.includes(":") ? `[${name}]` : name;
  return port === null ? text : `${text}:${port}`;
}
