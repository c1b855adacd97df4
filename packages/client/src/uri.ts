import { existsSync } from "node:fs";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { formatQuery, type Query, readQuery, unescaped } from "./query.js";
import { type DaemonMode, socketCandidates, type WantedSocket } from "./sockets.js";
import type { SshTarget } from "./transports/ssh.js";
import type { TlsTarget } from "./transports/tls.js";

/** Where a connection goes, and what it asks to be opened as. */
export interface Endpoint {
  /** By which transport, and where to. */
  readonly way:
    | { readonly transport: "unix"; readonly socketPath: string }
    | { readonly transport: "ssh"; readonly target: SshTarget }
    | { readonly transport: "tcp"; readonly host: string; readonly port: number }
    | { readonly transport: "tls"; readonly target: TlsTarget };
  /** What CONNECT_OPEN names: the URI without transport, host and what only the client reads. */
  readonly openName: string;
  readonly readOnly: boolean;
  readonly login: Login;
}

/** Where a server asks for a name and a password. */
export interface Login {
  /** By which they are looked up: `localhost` on this host. */
  readonly host: string;
  /** Whether nobody reads along: neither over plain TCP, nor where it is not looked who answers. */
  readonly isPrivate: boolean;
  /** `auth=sasl.NAME`; null: the best that both sides know. */
  readonly mechanism: string | null;
  /** `authfile=`; null: libvirt's places. */
  readonly authFile: string | null;
}

export const LOCAL_LOGIN: Login = { host: "localhost", isPrivate: true, mechanism: null, authFile: null };

/** How to understand a URI. */
export interface EndpointOptions {
  readonly readOnly?: boolean | undefined;
  /** Where no socket is named, pass over cisternd's. */
  readonly libvirtOnly?: boolean | undefined;
  /** For tests: instead of this process's. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** For tests: instead of looking at the file system. */
  readonly exists?: ((path: string) => boolean) | undefined;
}

const DEFAULT_NAME = "storage:///system";

/** Query parameters that are the client's own and not handed on to the server. */
const CLIENT_PARAMETERS: ReadonlySet<string> = new Set([
  "name",
  "command",
  "socket",
  "auth",
  "sshauth",
  "netcat",
  "keyfile",
  "pkipath",
  "known_hosts",
  "known_hosts_verify",
  "tls_priority",
  "mode",
  "proxy",
  "no_sanity",
  "no_verify",
  "no_tty",
  "authfile",
]);

/**
 * Understands what a user gives to connect to:
 *
 * - a socket's path: `/run/cistern/libvirt-sock`
 * - libvirt's URIs with a path: `qemu+unix:///system?socket=/path`, `storage+unix:///session?socket=/path`
 * - libvirt's URIs without: `storage:///system` and `qemu:///system` find cistern's socket, then libvirt's;
 *   `…:///session` those of the user.
 * - `storage+ssh://USER@HOST:PORT/system`: the same sockets on another host, by ssh. Parameters `socket`, `keyfile`, `netcat`,
 *   `proxy`, `command`, `no_verify=1` and `no_tty=1`, as libvirt has them.
 * - `qemu+tls://HOST:PORT/system`, or without `+tls`: by TLS, with certificates from libvirt's places or from `pkipath=`;
 *   `no_verify=1` trusts whoever answers. `qemu+tcp://HOST:PORT/system`: without any protection.
 *
 * Where no socket is named, `mode=direct` and `mode=legacy` say which of libvirt's daemons it shall be.
 *
 * Throws `LibvirtError` (5 NO_CONNECT) for what is none of these, and where no daemon has made its socket.
 */
export function resolveEndpoint(target: string, options: EndpointOptions = {}): Endpoint {
  const readOnly = options.readOnly ?? false;
  if (target.startsWith("/")) {
    return { way: { transport: "unix", socketPath: target }, openName: DEFAULT_NAME, readOnly, login: LOCAL_LOGIN };
  }
  const match = /^([a-z][a-z0-9.-]*)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(target);
  if (match === null) throw unusable(`"${target}" is neither a URI nor the absolute path of a socket`);
  const [, driver = "", said, authority = "", path = "/", query = ""] = match;
  const { parameters, all } = readQuery(query);
  const leftover = formatQuery(all.filter(([name]) => !CLIENT_PARAMETERS.has(name.toLowerCase())));
  const openName = parameters.get("name") ?? `${driver}://${path}${leftover}`;
  const transport = said ?? (authority === "" ? "unix" : "tls");
  const way = wayBy(transport, { uri: target, driver, authority, path, parameters, readOnly, options });
  return { way, openName, readOnly, login: loginOf(way, parameters) };
}

function loginOf(way: Endpoint["way"], parameters: Query["parameters"]): Login {
  const host = way.transport === "tcp" ? way.host : way.transport === "unix" ? "localhost" : way.target.host;
  return {
    host,
    isPrivate: isPrivate(way),
    mechanism: /^sasl\.(.+)$/.exec(parameters.get("auth") ?? "")?.[1] ?? null,
    authFile: parameters.get("authfile") ?? null,
  };
}

function isPrivate(way: Endpoint["way"]): boolean {
  switch (way.transport) {
    case "unix":
      return true;
    case "ssh":
      return way.target.verifiesHost;
    case "tls":
      return way.target.verifiesServer;
    case "tcp":
      return false;
  }
}

interface Parts {
  readonly uri: string;
  readonly driver: string;
  readonly authority: string;
  readonly path: string;
  readonly parameters: Query["parameters"];
  readonly readOnly: boolean;
  readonly options: EndpointOptions;
}

/** libvirt's ports. */
const TCP_PORT = 16_509;
const TLS_PORT = 16_514;
const LAST_PORT = 65_535;

function wayBy(transport: string, parts: Parts): Endpoint["way"] {
  const { uri, driver, authority, path, parameters, readOnly, options } = parts;
  const socket = parameters.get("socket") ?? null;
  const mode = oneOf(uri, parameters, "mode", MODES);
  const wanted = { driver, path, readOnly, mode, libvirtOnly: options.libvirtOnly === true };
  switch (transport) {
    case "unix":
      if (authority !== "") throw unusable(`"${uri}": a local socket is on no other host`);
      return { transport, socketPath: socket ?? findSocket(wanted, options) };
    case "ssh":
      return { transport, target: sshTarget(uri, authority, parameters, wanted) };
    case "tcp": {
      const { host, port } = hostOf(uri, authority);
      return { transport, host, port: port ?? TCP_PORT };
    }
    case "tls": {
      const { host, port } = hostOf(uri, authority);
      if (parameters.has("tls_priority")) {
        throw unusable(`"${uri}": tls_priority is in the language of another TLS library`);
      }
      const verifiesServer = !isSaid(uri, parameters, "no_verify");
      return {
        transport,
        target: { host, port: port ?? TLS_PORT, verifiesServer, pkiPath: parameters.get("pkipath") ?? null },
      };
    }
    default:
      throw unusable(`"${uri}": there is no transport "${transport}"; there are unix, ssh, tls and tcp`);
  }
}

function hostOf(uri: string, authority: string): { host: string; port: number | null; user: string | null } {
  const match = /^(?:([^@]*)@)?(\[[0-9a-f:.]+\]|[^:@[\]]+)(?::(\d{1,5}))?$/i.exec(authority);
  const [, user, host, port] = match ?? [];
  if (host === undefined) throw unusable(`"${uri}": a host is missing, such as "storage+ssh://root@host/system"`);
  if (Number(port ?? 0) > LAST_PORT) throw unusable(`"${uri}": ports go up to ${LAST_PORT}`);
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? null : Number(port),
    user: user === undefined || user === "" ? null : unescaped(user),
  };
}

/** The runtime directory is looked up on the other side. */
const THERE = { XDG_RUNTIME_DIR: "$XDG_RUNTIME_DIR" };

function sshTarget(uri: string, authority: string, parameters: Query["parameters"], wanted: WantedSocket): SshTarget {
  const socket = parameters.get("socket") ?? null;
  const netcat = parameters.get("netcat") ?? null;
  const proxy = oneOf(uri, parameters, "proxy", PROXIES);
  const { driver, path, readOnly, mode } = wanted;
  // The helper knows of none of these.
  const said = socket !== null ? "socket" : netcat !== null ? "netcat" : mode !== "auto" ? "mode" : null;
  if (proxy === "native" && said !== null) {
    throw unusable(`"${uri}": proxy=native finds libvirt's daemon by itself, without ${said}`);
  }
  return {
    ...hostOf(uri, authority),
    keyFile: parameters.get("keyfile") ?? null,
    verifiesHost: !isSaid(uri, parameters, "no_verify"),
    mayAsk: !isSaid(uri, parameters, "no_tty"),
    program: parameters.get("command") ?? "ssh",
    netcat,
    sockets: proxy === "native" ? [] : socket === null ? socketCandidates(wanted, THERE) : [socket],
    helper: proxy === "netcat" || said !== null ? null : { uri: `${driver}://${path}`, readOnly },
  };
}

const MODES: readonly DaemonMode[] = ["auto", "legacy", "direct"];
const PROXIES = ["auto", "netcat", "native"] as const;

/** The first, if it is not said. */
function oneOf<T extends string>(uri: string, parameters: Query["parameters"], name: string, values: readonly T[]): T {
  const value = parameters.get(name) ?? values[0];
  const found = values.find((each) => each === value);
  if (found === undefined) throw unusable(`"${uri}": ${name} is one of ${values.join(", ")}, not "${value}"`);
  return found;
}

/** libvirt's booleans are numbers. What is none must not pass for either. */
function isSaid(uri: string, parameters: Query["parameters"], name: string): boolean {
  const value = parameters.get(name) ?? "0";
  if (!/^[-+]?\d+$/.test(value)) throw unusable(`"${uri}": ${name} is 1 or 0, not "${value}"`);
  return Number(value) !== 0;
}

function findSocket(wanted: WantedSocket, options: EndpointOptions): string {
  const candidates = socketCandidates(wanted, options.environment);
  const found = candidates.find(options.exists ?? existsSync);
  if (found !== undefined) return found;
  const places =
    candidates.length === 0 ? "XDG_RUNTIME_DIR is not set" : `none of these exists: ${candidates.join(", ")}`;
  throw unusable(`No daemon is listening for "${wanted.driver}://${wanted.path}" (${places})`);
}

function unusable(text: string): LibvirtError {
  return new LibvirtError(ErrorCode.NO_CONNECT, ErrorDomain.REMOTE, text);
}
