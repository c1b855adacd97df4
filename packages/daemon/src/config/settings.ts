import { limits } from "../limits.js";
import { type PoolTables, poolFields, poolTables } from "./pool-settings.js";
import {
  accountName,
  choice,
  choices,
  domainSources,
  type Expectation,
  integerBetween,
  permissionBits,
} from "./values.js";

/** What the administrator may set in cisternd.toml, and what holds otherwise. `Account`: how users and groups are named. */
export interface Configuration<Account = number> {
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
  /** The longest pause between attempts to autostart a pool; 0: there is one attempt. */
  readonly autostartRetrySeconds: number;
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
  readonly volumeOwner: Account | null;
  readonly volumeGroup: Account | null;
  readonly volumeMode: number | null;
  readonly volumeLabel: string | null;
  readonly overcommitWarnRatio: number;
  readonly overcommitRefuseRatio: number;
  /** Where guests' documents come from: URIs of hypervisors, directories and files of documents. */
  readonly domainSources: readonly string[];
  /** What may not be destroyed: what guests use now, or also what they are only defined with. */
  readonly domainUses: "refuse-live" | "refuse-defined";
  /** By the pool's name: what is otherwise for that pool. */
  readonly pools: PoolTables<Account>;
}

/** As the file has it: users and groups by number or name. */
export type WrittenConfiguration = Configuration<number | string>;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["auto", "json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export const URI_SCHEMES = ["storage", "qemu"] as const;
export type UriScheme = (typeof URI_SCHEMES)[number];

/** One key of the file. */
export interface Setting<T> extends Expectation<T> {
  /** As libvirt's daemons name it, where they have the same setting. */
  readonly key: string;
  readonly standard: T;
  /** Whether SIGHUP puts a new value into effect; otherwise the next start does. */
  readonly reloads: boolean;
  /** Of a value that has parts: what is wrong in each. */
  readonly problems?: (value: unknown) => readonly string[];
}

type Settings = { readonly [Field in keyof Configuration]: Setting<WrittenConfiguration[Field]> };

/** Every key, in the order of the documentation. */
export const settings: Settings = {
  logLevel: {
    key: "log_level",
    standard: "info",
    ...choice(LOG_LEVELS),
    reloads: true,
  },
  logFormat: {
    key: "log_format",
    standard: "auto",
    ...choice(LOG_FORMATS),
    reloads: false,
  },
  uriSchemes: {
    key: "uri_schemes",
    standard: URI_SCHEMES,
    ...choices(URI_SCHEMES),
    reloads: true,
  },
  socketGroup: {
    key: "unix_sock_group",
    standard: null,
    ...accountName,
    reloads: false,
  },
  socketMode: {
    key: "unix_sock_rw_perms",
    standard: null,
    ...permissionBits("0770"),
    reloads: false,
  },
  readOnlySocketMode: {
    key: "unix_sock_ro_perms",
    standard: 0o777,
    ...permissionBits("0777"),
    reloads: false,
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
  autostartRetrySeconds: {
    key: "autostart_retry_seconds",
    standard: limits.autostartLongestPauseMs / 1000,
    ...integerBetween(0, 86_400),
    reloads: true,
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
    ...choice(["keep", "cancel"] as const),
    reloads: true,
  },
  streamIdleSeconds: {
    key: "stream_idle_seconds",
    standard: limits.streamIdleMs / 1000,
    ...integerBetween(1, 86_400),
    reloads: true,
  },
  deleteBackingStores: {
    key: "delete_backing_stores",
    standard: "refuse",
    ...choice(["refuse", "allow"] as const),
    reloads: true,
  },
  reflink: {
    key: "reflink",
    standard: "prefer",
    ...choice(["prefer", "on-request"] as const),
    reloads: true,
  },
  volumeOwner: { standard: null, ...poolFields.volumeOwner, reloads: true },
  volumeGroup: { standard: null, ...poolFields.volumeGroup, reloads: true },
  volumeMode: { standard: null, ...poolFields.volumeMode, reloads: true },
  volumeLabel: { standard: null, ...poolFields.volumeLabel, reloads: true },
  overcommitWarnRatio: { standard: 1, ...poolFields.overcommitWarnRatio, reloads: true },
  overcommitRefuseRatio: { standard: 0, ...poolFields.overcommitRefuseRatio, reloads: true },
  domainSources: { key: "domain_sources", standard: [], ...domainSources, reloads: false },
  domainUses: {
    key: "domain_uses",
    standard: "refuse-live",
    ...choice(["refuse-live", "refuse-defined"] as const),
    reloads: true,
  },
  pools: { key: "pools", standard: {}, ...poolTables, reloads: true },
};

export const settingFields = Object.keys(settings) as (keyof Configuration)[];

/** What holds where the file says nothing. */
export const standardConfiguration = Object.fromEntries(
  settingFields.map((field) => [field, settings[field].standard]),
) as unknown as Configuration;

/** The mode of the socket that may change things: with a group and nothing else said, the group may connect. */
export function socketModeOf({ socketMode, socketGroup }: Pick<Configuration, "socketMode" | "socketGroup">): number {
  return socketMode ?? (socketGroup === null ? 0o700 : 0o770);
}
