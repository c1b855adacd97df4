import { account, type Expectation, isTable, misfit, permissionBits, ratio, securityLabel } from "./values.js";

/** What may be set for one pool; absent: as for all. `Account`: how users and groups are named. */
export interface PoolSettings<Account = number> {
  readonly volumeOwner?: Account;
  readonly volumeGroup?: Account;
  readonly volumeMode?: number;
  readonly volumeLabel?: string;
  readonly overcommitWarnRatio?: number;
  readonly overcommitRefuseRatio?: number;
}

export type PoolTables<Account = number> = Readonly<Record<string, PoolSettings<Account>>>;

type Fields = {
  readonly [Field in keyof PoolSettings]-?: {
    readonly key: string;
  } & Expectation<NonNullable<PoolSettings<number | string>[Field]>>;
};

/** The keys that can be set for all pools and for one. */
export const poolFields: Fields = {
  volumeOwner: { key: "volume_owner", ...account },
  volumeGroup: { key: "volume_group", ...account },
  volumeMode: { key: "volume_mode", ...permissionBits("0660") },
  volumeLabel: { key: "volume_label", ...securityLabel },
  overcommitWarnRatio: { key: "overcommit_warn_ratio", ...ratio },
  overcommitRefuseRatio: { key: "overcommit_refuse_ratio", ...ratio },
};

const names = Object.keys(poolFields) as (keyof PoolSettings)[];
const keys = names.map((name) => poolFields[name].key);

/** The tables [pools.NAME]. */
export const poolTables: Expectation<PoolTables<number | string>> & {
  /** What is wrong in them, table by table and key by key. */
  readonly problems: (value: unknown) => readonly string[];
} = {
  expected: `tables such as [pools.images], each with some of ${keys.join(", ")}`,
  read: (value) => {
    const { tables, problems } = readTables(value);
    return problems.length === 0 ? tables : undefined;
  },
  problems: (value) => readTables(value).problems,
};

function readTables(value: unknown): { readonly tables: PoolTables<number | string>; readonly problems: string[] } {
  if (!isTable(value)) return { tables: {}, problems: [misfit("pools", value, poolTables)] };
  const problems: string[] = [];
  const tables = Object.entries(value).map(([pool, table]) => {
    const key = `pools.${pool}`;
    if (isTable(table)) return [pool, readTable(key, table, problems)] as const;
    problems.push(misfit(key, table, { expected: `a table, [${key}]` }));
    return [pool, {}] as const;
  });
  // Unlike assignments, this makes a pool of any name, even "__proto__", an ordinary entry.
  return { tables: Object.fromEntries(tables), problems };
}

function readTable(
  tableKey: string,
  table: Readonly<Record<string, unknown>>,
  problems: string[],
): PoolSettings<number | string> {
  const chosen: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const name = names.find((one) => poolFields[one].key === key);
    if (name === undefined) {
      problems.push(`${tableKey}.${key} is no setting; those of a pool are ${keys.join(", ")}`);
      continue;
    }
    const read = poolFields[name].read(value);
    if (read === undefined) problems.push(misfit(`${tableKey}.${key}`, value, poolFields[name]));
    else chosen[name] = read;
  }
  return chosen;
}
