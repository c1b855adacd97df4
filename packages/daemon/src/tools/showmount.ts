import type { Command } from "../host/host.js";

/** Asks an NFS server's mountd for its exports, without a line of headings. */
export function showExports(server: string): Command {
  return { program: "showmount", args: ["--no-headers", "--exports", server] };
}

/**
 * Directories that a server exports, in its order. Columns are padded with blanks, and a directory may contain some; who may
 * mount it stands last. A line of another form is passed over.
 *
 *     /exports/a     *
 *     /exports/b dir 192.168.1.0/24,10.0.0.1
 */
export function parseExports(output: string): string[] {
  return output.split("\n").flatMap((line) => /^(\/.*\S) +\S+$/.exec(line)?.[1] ?? []);
}
