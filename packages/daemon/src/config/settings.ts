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
  readonly maxJobs: number;
  readonly maxJobsPerPool: number;
  /** MiB a second of each job; 0: not limited. */
  readonly jobBandwidthMib: number;
  /** What becomes of a job whose client goes away. */
  readonly onDisconnect: "keep" | "cancel";
  /** A transfer that moves no byte for so long is aborted. */
  readonly streamIdleSeconds: number;
  /** Deleting a volume that others are built on. */
  readonly deleteBackingStores: "refuse" | "allow";
  /** Whether a clone shares blocks with its source wherever it can, or only when it is asked to. */
  readonly reflink: "prefer" | "on-request";
  /** For all pools; `pools` has exceptions. */
  readonly volumeOwner: number | null;
  readonly volumeGroup: number | null;
  readonly volumeMode: number | null;
  readonly volumeLabel: string | null;
  readonly overcommitWarnRatio: number;
  readonly overcommitRefuseRatio: number;
  /** By the pool's name: what is otherwise for that pool. */
  readonly pools: Readonly<Record<string, PoolSettings>>;
}

/** What may be set for one pool; absent: as for all. */
export interface PoolSettings {
  readonly volumeOwner?: number;
  readonly volumeGroup?: number;
  readonly volumeMode?: number;
  readonly volumeLabel?: string;
  readonly overcommitWarnRatio?: number;
  readonly overcommitRefuseRatio?: number;
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

const ids = { ...integerBetween(0, 4_294_967_294), expected: "a user's or group's number" };

/** What can be set for all pools and for one. */
const volumeFields = {
  volumeOwner: ids,
  volumeGroup: ids,
  volumeMode: { expected: 'permission bits as an octal string, such as "0660"', read: permissionBits },
  volumeLabel: {
    expected: "an SELinux label, as a string",
    read: (value: unknown) => (typeof value === "string" && /^[\x21-\x7e]{1,4095}$/.test(value) ? value : undefined),
  },
  overcommitWarnRatio: ratio(),
  overcommitRefuseRatio: ratio(),
} satisfies {
  readonly [Field in keyof PoolSettings]-?: Pick<Setting<NonNullable<PoolSettings[Field]>>, "expected" | "read">;
};

const poolKeyOf: { readonly [Field in keyof typeof volumeFields]: string } = {
  volumeOwner: "volume_owner",
  volumeGroup: "volume_group",
  volumeMode: "volume_mode",
  volumeLabel: "volume_label",
  overcommitWarnRatio: "overcommit_warn_ratio",
  overcommitRefuseRatio: "overcommit_refuse_ratio",
};
const poolKeys = Object.values(poolKeyOf);

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
  maxJobs: { key: "max_jobs", standard: limits.jobsAtOnce, ...integerBetween(1, 1_024), reloads: true },
  maxJobsPerPool: {
    key: "max_jobs_per_pool",
    standard: limits.jobsPerPool,
    ...integerBetween(1, 1_024),
    reloads: true,
  },
  jobBandwidthMib: { key: "job_bandwidth_mib", standard: 0, ...integerBetween(0, 1_048_576), reloads: true },
  onDisconnect: {
    key: "on_disconnect",
    standard: "keep",
    expected: oneOf(["keep", "cancel"]),
    reloads: true,
    read: choice(["keep", "cancel"] as const),
  },
  streamIdleSeconds: { key: "stream_idle_seconds", standard: 600, ...integerBetween(1, 86_400), reloads: true },
  deleteBackingStores: {
    key: "delete_backing_stores",
    standard: "refuse",
    expected: oneOf(["refuse", "allow"]),
    reloads: true,
    read: choice(["refuse", "allow"] as const),
  },
  reflink: {
    key: "reflink",
    standard: "prefer",
    expected: oneOf(["prefer", "on-request"]),
    reloads: true,
    read: choice(["prefer", "on-request"] as const),
  },
  volumeOwner: { key: "volume_owner", standard: null, ...volumeFields.volumeOwner, reloads: true },
  volumeGroup: { key: "volume_group", standard: null, ...volumeFields.volumeGroup, reloads: true },
  volumeMode: { key: "volume_mode", standard: null, ...volumeFields.volumeMode, reloads: true },
  volumeLabel: { key: "volume_label", standard: null, ...volumeFields.volumeLabel, reloads: true },
  overcommitWarnRatio: {
    key: "overcommit_warn_ratio",
    standard: 1,
    ...volumeFields.overcommitWarnRatio,
    reloads: true,
  },
  overcommitRefuseRatio: {
    key: "overcommit_refuse_ratio",
    standard: 0,
    ...volumeFields.overcommitRefuseRatio,
    reloads: true,
  },
  pools: {
    key: "pools",
    standard: {},
    expected: `tables such as [pools.images], each with some of ${poolKeys.join(", ")} and their values as for all pools`,
    reloads: true,
    read: poolTables,
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

/** Of what guests were promised to what the pool has; a whole number or a fraction. */
function ratio(): Pick<Setting<number>, "expected" | "read"> {
  return {
    expected: "a number from 0 (never) to 1000, such as 1.5",
    read: (value) => {
      const number = typeof value === "bigint" ? Number(value) : value;
      return typeof number === "number" && number >= 0 && number <= 1_000 ? number : undefined;
    },
  };
}

function poolTables(value: unknown): Readonly<Record<string, PoolSettings>> | undefined {
  if (!isTable(value)) return undefined;
  const pools: Record<string, PoolSettings> = {};
  for (const [name, table] of Object.entries(value)) {
    if (!isTable(table)) return undefined;
    const read = poolTable(table);
    if (read === undefined) return undefined;
    pools[name] = read;
  }
  return pools;
}

function poolTable(table: Readonly<Record<string, unknown>>): PoolSettings | undefined {
  const fields = Object.keys(volumeFields) as (keyof typeof volumeFields)[];
  const chosen: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const field = fields.find((one) => poolKeyOf[one] === key);
    const read = field === undefined ? undefined : volumeFields[field].read(value);
    if (field === undefined || read === undefined) return undefined;
    chosen[field] = read;
  }
  return chosen;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
