import { limits } from "../limits.js";

/** What the administrator may set in cisternd.toml, and what holds otherwise. */
export interface Configuration {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly uriSchemes: readonly UriScheme[];
  /** A group's name or number; null: the sockets belong to the group the daemon runs as. */
  readonly socketGroup: string | null;
  /** Permission bits; null: 0700, with a socket group 0770. */
  readonly socketMode: number | null;
  readonly readOnlySocketMode: number;
  readonly maxClients: number;
  readonly maxClientRequests: number;
  /** -1: the daemon never sends keepalive requests. */
  readonly keepaliveIntervalSeconds: number;
  /** 0: the connection ends at the first unanswered interval. */
  readonly keepaliveCount: number;
  readonly remoteStorageTimeoutSeconds: number;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["auto", "json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export const URI_SCHEMES = ["storage", "qemu"] as const;
export type UriScheme = (typeof URI_SCHEMES)[number];

/** One key of the file. `read` gives undefined for a value that is not what is expected. */
export interface Setting<T> {
  /** As libvirt's daemons name it, where they have the same setting. */
  readonly key: string;
  readonly standard: T;
  /** Ends the sentence "… must be". */
  readonly expected: string;
  /** Whether SIGHUP puts a new value into effect; otherwise the next start does. */
  readonly reloads: boolean;
  readonly read: (value: unknown) => T | undefined;
}

type Settings = { readonly [Field in keyof Configuration]: Setting<Configuration[Field]> };

/** Every key, in the order of the documentation. TOML integers arrive as bigint, so that 1.0 is no integer. */
export const settings: Settings = {
  logLevel: {
    key: "log_level",
    standard: "info",
    expected: oneOf(LOG_LEVELS),
    reloads: true,
    read: choice(LOG_LEVELS),
  },
  logFormat: {
    key: "log_format",
    standard: "auto",
    expected: oneOf(LOG_FORMATS),
    reloads: false,
    read: choice(LOG_FORMATS),
  },
  uriSchemes: {
    key: "uri_schemes",
    standard: URI_SCHEMES,
    expected: `a list of one or more of ${URI_SCHEMES.map(quote).join(", ")}, each once`,
    reloads: true,
    read: choices(URI_SCHEMES),
  },
  socketGroup: {
    key: "unix_sock_group",
    standard: null,
    expected: "the name or number of a group, as a string",
    reloads: false,
    read: (value) => (typeof value === "string" && /^[^\s:]+$/.test(value) ? value : undefined),
  },
  socketMode: {
    key: "unix_sock_rw_perms",
    standard: null,
    expected: 'permission bits as an octal string, such as "0770"',
    reloads: false,
    read: permissionBits,
  },
  readOnlySocketMode: {
    key: "unix_sock_ro_perms",
    standard: 0o777,
    expected: 'permission bits as an octal string, such as "0777"',
    reloads: false,
    read: permissionBits,
  },
  maxClients: {
    key: "max_clients",
    standard: limits.clients,
    ...integerBetween(1, 65_536),
    reloads: true,
  },
  maxClientRequests: {
    key: "max_client_requests",
    standard: limits.requestsPerClient,
    ...integerBetween(1, 4_096),
    reloads: true,
  },
  keepaliveIntervalSeconds: {
    key: "keepalive_interval",
    standard: 5,
    ...integerBetween(-1, 86_400),
    reloads: true,
  },
  keepaliveCount: {
    key: "keepalive_count",
    standard: 5,
    ...integerBetween(0, 1_000),
    reloads: true,
  },
  remoteStorageTimeoutSeconds: {
    key: "remote_storage_timeout",
    standard: 30,
    ...integerBetween(1, 3_600),
    reloads: false,
  },
};

export const settingFields = Object.keys(settings) as (keyof Configuration)[];

/** What holds where the file says nothing. */
export const standardConfiguration = Object.fromEntries(
  settingFields.map((field) => [field, settings[field].standard]),
) as unknown as Configuration;

/** The mode of the socket that may change things: with a group and nothing else said, the group may connect. */
export function socketModeOf(configuration: Configuration): number {
  return configuration.socketMode ?? (configuration.socketGroup === null ? 0o700 : 0o770);
}

function quote(text: string): string {
  return `"${text}"`;
}

function oneOf(values: readonly string[]): string {
  return `one of ${values.map(quote).join(", ")}`;
}

function choice<T extends string>(values: readonly T[]): (value: unknown) => T | undefined {
  return (value) => values.find((one) => one === value);
}

function choices<T extends string>(values: readonly T[]): (value: unknown) => readonly T[] | undefined {
  return (value) => {
    if (!Array.isArray(value) || value.length === 0 || new Set(value).size !== value.length) return undefined;
    const chosen = value.map(choice(values));
    return chosen.every((one) => one !== undefined) ? chosen : undefined;
  };
}

function integerBetween(least: number, most: number): Pick<Setting<number>, "expected" | "read"> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (value) => (typeof value === "bigint" && value >= least && value <= most ? Number(value) : undefined),
  };
}

function permissionBits(value: unknown): number | undefined {
  return typeof value === "string" && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : undefined;
}
