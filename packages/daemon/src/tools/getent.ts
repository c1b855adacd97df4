import type { Command } from "../host/host.js";

/** Looks a user or group up by its number, wherever the machine's accounts are kept. Exit status 2: there is none. */
export function lookUp(database: "passwd" | "group", id: number): Command {
  return { program: "getent", args: [database, `${id}`] };
}

/** The name: what stands before the first colon of `root:x:0:0:root:/root:/bin/bash`. null: it is no such line. */
export function parseName(output: string): string | null {
  return /^([^:\n]+):/.exec(output)?.[1] ?? null;
}
