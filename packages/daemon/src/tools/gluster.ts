import type { Command } from "../host/host.js";

/** Asks a server of a gluster cluster for all of its volumes, as XML, leaving no log behind. */
export function listVolumes(server: string): Command {
  const args = ["--xml", "--log-file=/dev/null", "volume", "info", "all", `--remote-host=${server}`];
  return { program: "gluster", args };
}

/**
 * Names of volumes. A volume's name is its first element; its bricks have names, too. Of output that is something else,
 * there are none.
 *
 *     <cliOutput>
 *       <opRet>0</opRet>
 *       <opErrno>0</opErrno>
 *       <opErrstr/>
 *       <volInfo>
 *         <volumes>
 *           <volume>
 *             <name>gv0</name>
 *             …
 */
export function parseVolumes(output: string): string[] {
  return [...output.matchAll(/<volume>\s*<name>([^<]+)<\/name>/g)].map(([, name = ""]) => unescaped(name));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity] ?? "");
}
