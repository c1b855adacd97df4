import { open } from "node:fs/promises";
import { parse, TomlError } from "smol-toml";
import { limits } from "../limits.js";
import { ConfigurationError, codeOf, reasonOf } from "./errors.js";
import { unusable, withNumbers } from "./named-accounts.js";
import type { Places } from "./places.js";
import {
  type Configuration,
  settingFields,
  settings,
  standardConfiguration,
  type WrittenConfiguration,
} from "./settings.js";
import { misfit } from "./values.js";

/**
 * Reads cisternd.toml. An absent file at the default place is as good as an empty one.
 * @throws ConfigurationError naming file, key and what is expected, for all that is wrong in it at once.
 */
export async function loadConfiguration(
  places: Pick<Places, "configFile" | "configFileIsRequired">,
): Promise<Configuration> {
  const file = places.configFile;
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT" && !places.configFileIsRequired) return standardConfiguration;
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`The configuration file '${file}' cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
  return withNumbers(readConfiguration(text, file), file);
}

/** @throws ConfigurationError, with `file` in its message */
export function readConfiguration(text: string, file: string): WrittenConfiguration {
  const table = parseToml(text, file);
  const problems: string[] = [];
  const chosen: Record<string, unknown> = { ...standardConfiguration };
  for (const [key, value] of Object.entries(table)) {
    const field = settingFields.find((one) => settings[one].key === key);
    if (field === undefined) {
      problems.push(unknownKey(key));
      continue;
    }
    const setting = settings[field];
    const read = setting.read(value);
    if (read !== undefined) chosen[field] = read;
    else problems.push(...(setting.problems?.(value) ?? [misfit(key, value, setting)]));
  }
  if (problems.length > 0)
    throw new ConfigurationError(
      unusable(
        file,
        problems.map((problem) => `${problem}.`),
      ),
    );
  return chosen as unknown as WrittenConfiguration;
}

/** A new configuration on a running daemon: what takes effect now, and the keys that wait for the next start. */
export function reloadConfiguration<Account>(
  running: Configuration<Account>,
  wanted: Configuration<Account>,
): { readonly configuration: Configuration<Account>; readonly keysForNextStart: readonly string[] } {
  const configuration: Record<string, unknown> = { ...wanted };
  const keysForNextStart: string[] = [];
  for (const field of settingFields) {
    const { reloads, key } = settings[field];
    if (reloads || JSON.stringify(running[field]) === JSON.stringify(wanted[field])) continue;
    configuration[field] = running[field];
    keysForNextStart.push(key);
  }
  return { configuration: configuration as unknown as Configuration<Account>, keysForNextStart };
}

/** One read of a little more than the limit: neither a device nor a growing file makes it endless. */
async function readText(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(limits.configurationBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > limits.configurationBytes) {
      throw new ConfigurationError(
        `The configuration file '${file}' has more than ${limits.configurationBytes} bytes: it is something else.`,
      );
    }
    return buffer.toString("utf8", 0, length);
  } finally {
    await handle.close();
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n", 1)[0]?.replace(/^Invalid TOML document: /, "") ?? "";
    throw new ConfigurationError(
      `The configuration file '${file}' is not valid TOML: line ${error.line}, column ${error.column}: ${reason}.`,
      { cause: error },
    );
  }
}

function unknownKey(key: string): string {
  const known = settingFields.map((field) => settings[field].key);
  const near = known.find((one) => distance(one, key) <= 3);
  return near === undefined
    ? `${key} is no setting; the settings are ${known.join(", ")}`
    : `${key} is no setting; perhaps ${near} is meant`;
}

/** Levenshtein's: how many letters a slip of the finger changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
