import { findGroup, findUser } from "./accounts.js";
import { ConfigurationError } from "./errors.js";
import { type PoolSettings, poolFields } from "./pool-settings.js";
import type { Configuration, WrittenConfiguration } from "./settings.js";

type Account = number | string;
type Find = (nameOrNumber: string, key: string) => Promise<number>;

/**
 * Users and groups by their numbers instead of their names, as this host has them now.
 * @throws ConfigurationError naming `file` and all names that are unknown
 */
export async function withNumbers(configuration: WrittenConfiguration, file: string): Promise<Configuration> {
  const problems: string[] = [];
  const numberOf = async (account: Account, key: string, find: Find): Promise<number | null> => {
    if (typeof account === "number") return account;
    return find(account, key).catch((error: unknown) => {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(error.message);
      return null;
    });
  };
  const ownerOf = (account: Account, table = "") => numberOf(account, table + poolFields.volumeOwner.key, findUser);
  const groupOf = (account: Account, table = "") => numberOf(account, table + poolFields.volumeGroup.key, findGroup);

  const { volumeOwner, volumeGroup } = configuration;
  const [owner, group, pools] = await Promise.all([
    volumeOwner === null ? null : ownerOf(volumeOwner),
    volumeGroup === null ? null : groupOf(volumeGroup),
    Promise.all(
      Object.entries(configuration.pools).map(async ([name, { volumeOwner, volumeGroup, ...others }]) => {
        const table = `pools.${name}.`;
        const own = volumeOwner === undefined ? null : await ownerOf(volumeOwner, table);
        const ownGroup = volumeGroup === undefined ? null : await groupOf(volumeGroup, table);
        const accounts = {
          ...(own === null ? {} : { volumeOwner: own }),
          ...(ownGroup === null ? {} : { volumeGroup: ownGroup }),
        };
        return [name, { ...others, ...accounts } satisfies PoolSettings] as const;
      }),
    ),
  ]);
  if (problems.length > 0) throw new ConfigurationError(unusable(file, problems.sort()));
  return { ...configuration, volumeOwner: owner, volumeGroup: group, pools: Object.fromEntries(pools) };
}

/** One sentence for each problem. */
export function unusable(file: string, problems: readonly string[]): string {
  return `The configuration file '${file}' cannot be used:\n${problems.map((problem) => `  ${problem}`).join("\n")}`;
}
