import type { Command } from "../host/host.js";

/** Looks a user or group up by its number, wherever the machine's accounts are kept. Exit status 2: there is none. */
export function lookUp(database: "passwd" | "group", id: number): Command {
  return { program: "getent", args: [database, `${id}`] };
}

/** The same by its name. */
export function lookUpName(database: "passwd" | "group", name: string): Command {
  return { program: "getent", args: [database, "--", name] };
}

/** The groups that a user is in besides its own. */
export function lookUpGroupsOf(user: string): Command {
  return { program: "getent", args: ["initgroups", "--", user] };
}

/** The name: what stands before the first colon of `root:x:0:0:root:/root:/bin/bash`. null: it is no such line. */
export function parseName(output: string): string | null {
  return /^([^:\n]+):/.exec(output)?.[1] ?? null;
}

/** The number: of a user `root:x:0:0:…`, of a group `root:x:0:`. null: it is no such line. */
export function parseNumber(output: string): number | null {
  const number = /^[^:\n]*:[^:\n]*:(\d+):/.exec(output)?.[1];
  return number === undefined ? null : Number(number);
}

/** `libvirt-qemu          64055 107`: the name, then the numbers. */
export function parseGroups(output: string): number[] {
  return (output.split("\n")[0] ?? "").split(/\s+/).slice(1).filter(Boolean).map(Number);
}
