import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { limits } from "../limits.js";
import { ConfigurationError } from "./errors.js";

/**
 * A user's number by its name, or by its number as text. Asked of getent, which knows every source the host knows.
 * `key`: the setting that names it.
 * @throws ConfigurationError
 */
export function findUser(nameOrNumber: string, key: string): Promise<number> {
  return find("user", "passwd", nameOrNumber, key);
}

/** The same for a group. */
export function findGroup(nameOrNumber: string, key: string): Promise<number> {
  return find("group", "group", nameOrNumber, key);
}

async function find(kind: string, database: string, nameOrNumber: string, key: string): Promise<number> {
  if (/^\d{1,10}$/.test(nameOrNumber)) return Number(nameOrNumber);
  const refusal = `${key} is "${nameOrNumber}", but this host has no such ${kind}.`;
  try {
    const { stdout } = await promisify(execFile)("getent", [database, "--", nameOrNumber], {
      timeout: limits.accountLookupMs,
    });
    // Both kinds of line begin so: name, password, number.
    const number = /^[^:]*:[^:]*:(\d+):/.exec(stdout)?.[1];
    if (number !== undefined) return Number(number);
  } catch (error) {
    throw new ConfigurationError(refusal, { cause: error });
  }
  throw new ConfigurationError(refusal);
}
