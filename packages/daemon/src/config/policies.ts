import { limits } from "../limits.js";
import type { PoolSettings } from "./pool-settings.js";
import type { Configuration } from "./settings.js";

const MIB = 1_048_576n;

/** The same for a pool as for all, except what its own table says. */
function settingOf<Field extends keyof PoolSettings & keyof Configuration>(
  configuration: Configuration,
  pool: string,
  field: Field,
): NonNullable<PoolSettings[Field]> | Configuration[Field] {
  const own = Object.hasOwn(configuration.pools, pool) ? configuration.pools[pool]?.[field] : undefined;
  return own ?? configuration[field];
}

/** What the configuration says about autostart that fails. */
export function autostartPausesOf({ autostartRetrySeconds }: Configuration) {
  return {
    firstMs: limits.autostartFirstPauseMs,
    longestMs: autostartRetrySeconds === 0 ? null : autostartRetrySeconds * 1000,
  };
}

/** What the configuration says about jobs, in the form in which the daemon's rooms take it. */
export function jobSettingsOf(configuration: Configuration) {
  const { maxJobs, maxJobsPerPool, jobBandwidthMib, onDisconnect } = configuration;
  return {
    slots: { overall: maxJobs, perPool: maxJobsPerPool },
    bandwidthBytesPerSecond: jobBandwidthMib === 0 ? null : BigInt(jobBandwidthMib) * MIB,
    onDisconnect,
  };
}

/** The same about volumes; `current` gives the configuration in force. */
export function volumePolicyOf(current: () => Configuration) {
  return {
    defaultsOf: (pool: string) => ({
      mode: settingOf(current(), pool, "volumeMode"),
      owner: settingOf(current(), pool, "volumeOwner"),
      group: settingOf(current(), pool, "volumeGroup"),
      label: settingOf(current(), pool, "volumeLabel"),
    }),
    get deletesBackingStores() {
      return current().deleteBackingStores === "allow";
    },
    get sharesBlocks() {
      return current().reflink === "prefer";
    },
  };
}

/** And about promising more than a pool has; null: never. */
export function overcommitRatiosOf(current: () => Configuration) {
  const ratio = (value: number): number | null => (value === 0 ? null : value);
  return {
    warnRatio: (pool: string) => ratio(settingOf(current(), pool, "overcommitWarnRatio")),
    refuseRatio: (pool: string) => ratio(settingOf(current(), pool, "overcommitRefuseRatio")),
  };
}
