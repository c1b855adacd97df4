/** What a value of cisternd.toml has to be. TOML integers arrive as bigint, so that 1.0 is no integer. */
export interface Expectation<T> {
  /** Ends the sentence "… must be". */
  readonly expected: string;
  /** undefined: the value is not what is expected. */
  readonly read: (value: unknown) => T | undefined;
}

export function choice<T extends string>(values: readonly T[]): Expectation<T> {
  return { expected: `one of ${values.map(quote).join(", ")}`, read: (value) => values.find((one) => one === value) };
}

export function choices<T extends string>(values: readonly T[]): Expectation<readonly T[]> {
  const { read } = choice(values);
  return {
    expected: `a list of one or more of ${values.map(quote).join(", ")}, each once`,
    read: (value) => {
      if (!Array.isArray(value) || value.length === 0 || new Set(value).size !== value.length) return undefined;
      const chosen = value.map(read);
      return chosen.every((one) => one !== undefined) ? chosen : undefined;
    },
  };
}

export function integerBetween(least: number, most: number): Expectation<number> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (value) => (typeof value === "bigint" && value >= least && value <= most ? Number(value) : undefined),
  };
}

/** Of what guests were promised to what the pool has; a whole number or a fraction. */
export const ratio: Expectation<number> = {
  expected: "a number from 0 (never) to 1000, such as 1.5",
  read: (value) => {
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && number >= 0 && number <= 1_000 ? number : undefined;
  },
};

export function permissionBits(example: string): Expectation<number> {
  return {
    expected: `permission bits as an octal string, such as ${quote(example)}`,
    read: (value) => (typeof value === "string" && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : undefined),
  };
}

const LARGEST_ID = 4_294_967_294;

/** A name is looked up later; here it is enough that it could be one. */
export const account: Expectation<number | string> = {
  expected: "the number or name of a user or group",
  read: (value) => (typeof value === "string" ? accountName.read(value) : integerBetween(0, LARGEST_ID).read(value)),
};

export const accountName: Expectation<string> = {
  expected: "the name or number of a group, as a string",
  read: (value) => (typeof value === "string" && /^[^\s:]+$/.test(value) ? value : undefined),
};

/** Whether the kernel takes it is its own to say, when a volume gets it. */
export const securityLabel: Expectation<string> = {
  expected: "an SELinux label, as a string",
  read: (value) => (typeof value === "string" && /^[\x21-\x7e]{1,4095}$/.test(value) ? value : undefined),
};

/** Whether there is anything is seen when it is asked. */
export const domainSources: Expectation<readonly string[]> = {
  expected: 'a list of URIs such as "qemu:///system" and of absolute paths, each once',
  read: (value) => {
    if (!Array.isArray(value) || new Set(value).size !== value.length) return undefined;
    return value.every(isDomainSource) ? value : undefined;
  },
};

function isDomainSource(value: unknown): value is string {
  return typeof value === "string" && /^(\/|[a-z][a-z0-9.+-]*:\/\/).{0,4095}$/.test(value);
}

export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** "… is VALUE, but must be …", for people. */
export function misfit(key: string, value: unknown, { expected }: Pick<Expectation<unknown>, "expected">): string {
  return `${key} is ${show(value)}, but must be ${expected}`;
}

function quote(text: string): string {
  return `"${text}"`;
}

function show(value: unknown): string {
  return typeof value === "bigint" ? value.toString() : (JSON.stringify(value, bigintAsNumber) ?? String(value));
}

function bigintAsNumber(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
