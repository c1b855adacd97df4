import { Readable } from "node:stream";
import type { Connection, Pool, Volume } from "@cistern/client";
import type { Command, Completion } from "../commands/command.js";
import { Context } from "../context.js";
import { findPool } from "../lookup.js";
import { FILES_MARK } from "./scripts.js";
import { type GeneralOption, readTyped, type Typed } from "./words.js";

/** A word that may be meant, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** Whoever presses Tab waits for nothing longer than this, all calls together. */
const PATIENCE_MS = 1_500;

/** More nobody reads. */
const MAX_CANDIDATES = 1_000;

/** What may stand at the end of a command line, as whole words. Where the daemon does not answer, nothing. */
export async function candidatesOf(
  context: Context,
  words: readonly string[],
  commands: readonly Command[],
  options: readonly GeneralOption[],
): Promise<readonly Candidate[]> {
  const typed = readTyped(words, commands, options);
  const candidates = await candidatesFor(context, typed, commands, options).catch(() => []);
  return candidates
    .filter(({ word }) => word === FILES_MARK || (word.startsWith(typed.prefix) && isOneLine(word)))
    .slice(0, MAX_CANDIDATES)
    .map(({ word, about }) => ({ word: word === FILES_MARK ? word : `${typed.before}${word}`, about }));
}

async function candidatesFor(
  context: Context,
  typed: Typed,
  commands: readonly Command[],
  options: readonly GeneralOption[],
): Promise<readonly Candidate[]> {
  const { expects } = typed;
  switch (expects.kind) {
    case "commands":
      return commands.map(({ name, summary }) => ({ word: name, about: summary }));
    case "options": {
      const own = Object.entries(expects.command?.parameters ?? {}).filter(([name]) => typed.said[name] === undefined);
      return [
        ...own.map(([name, { help }]) => ({ word: `--${name}`, about: help })),
        ...options.map(({ long, help }) => ({ word: `--${long}`, about: help })),
      ];
    }
    case "values":
      return valuesFor(context, typed, expects.completion);
  }
}

async function valuesFor(context: Context, typed: Typed, completion: Completion | null): Promise<readonly Candidate[]> {
  if (completion === null) return [];
  if (completion === "files") return [{ word: FILES_MARK, about: "" }];
  if (typeof completion !== "string") return completion.map((word) => ({ word, about: "" }));
  const asking = new Context(
    // Whoever presses Tab is not to be asked for a password.
    { ...context.surroundings, stdin: Readable.from([]), signal: AbortSignal.timeout(PATIENCE_MS) },
    { ...context.options, ...typed.general, deadline: PATIENCE_MS / 1000 },
  );
  return asking.withConnection((connection) => ASKED[completion](connection, typed, asking.call));
}

type Asking = (connection: Connection, typed: Typed, call: Context["call"]) => Promise<readonly Candidate[]>;

const ASKED: Readonly<Record<Exclude<Completion, readonly string[] | "files">, Asking>> = {
  async pools(connection, _typed, call) {
    const pools = await connection.listPools({}, call);
    return pools.map(({ name }) => ({ word: name, about: "pool" }));
  },
  async volumes(connection, { said }, call) {
    const pool = said["pool"] ?? null;
    const pools =
      pool === null ? await connection.listPools({ active: true }, call) : [await findPool(connection, pool, call)];
    const volumes = await volumesOf(pools, call);
    return volumes.map(({ name, poolName }) => ({ word: name, about: `volume of ${poolName}` }));
  },
  async places(connection, _typed, call) {
    const volumes = await volumesOf(await connection.listPools({ active: true }, call), call);
    return volumes.map(({ name, poolName }) => ({ word: `${poolName}/${name}`, about: "volume" }));
  },
  async domains(connection, _typed, call) {
    const { items } = await connection.uses.attachments({}, call);
    const states = new Map(items.map(({ domain: { name, state } }) => [name, state]));
    return [...states].map(([name, state]) => ({ word: name, about: `guest, ${state}` }));
  },
  async secrets(connection, _typed, call) {
    const secrets = await connection.listSecrets({}, call);
    return secrets.map(({ uuid, usage, usageId }) => ({ word: uuid, about: `${usage} ${usageId}` }));
  },
  async jobs(connection, _typed, call) {
    const jobs = await connection.listJobs({}, call);
    return jobs.map(({ id, title }) => ({ word: String(id), about: title }));
  },
};

async function volumesOf(pools: readonly Pool[], call: Context["call"]): Promise<readonly Volume[]> {
  const found = await Promise.all(pools.map((pool) => pool.listVolumes(call)));
  return found.flat();
}

/** A line end or a tab would make two candidates of one. */
function isOneLine(word: string): boolean {
  return !/[\u0000-\u001f\u007f]/.test(word);
}
