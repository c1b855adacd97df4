import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { limits } from "../limits.js";
import { ConfigurationError } from "./errors.js";

/**
 * A group's number by its name, or by its number as text. Asked of getent, which knows every source the host knows.
 * @throws ConfigurationError
 */
export async function findGroup(nameOrNumber: string): Promise<number> {
  if (/^\d{1,10}$/.test(nameOrNumber)) return Number(nameOrNumber);
  try {
    const { stdout } = await promisify(execFile)("getent", ["group", "--", nameOrNumber], {
      timeout: limits.groupLookupMs,
    });
    const number = /^[^:]*:[^:]*:(\d+):/.exec(stdout)?.[1];
    if (number !== undefined) return Number(number);
  } catch (error) {
    throw new ConfigurationError(`unix_sock_group is "${nameOrNumber}", but this host has no such group.`, {
      cause: error,
    });
  }
  throw new ConfigurationError(`unix_sock_group is "${nameOrNumber}", but this host has no such group.`);
}
