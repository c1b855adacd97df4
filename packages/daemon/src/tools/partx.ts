import type { Command } from "../host/host.js";

/*
 * partx (util-linux) tells the kernel of partitions, or lets it forget them; it writes nothing to the disk. --nr: from one
 * number to another.
 */

/** The kernel forgets the partitions; it refuses (exit status 1) while one of them is open. */
export function forgetPartitions(device: string, first: number, last: number): Command {
  return { program: "partx", args: ["--delete", "--nr", `${first}:${last}`, device] };
}

/** The kernel learns of the partitions as the disk has them; of those that it knows, it says so and fails. */
export function learnPartitions(device: string, first: number, last: number): Command {
  return { program: "partx", args: ["--add", "--nr", `${first}:${last}`, device] };
}
