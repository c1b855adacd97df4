// Packages of Debian's component contrib, unpacked and never installed: the machine's own sources stay as they are.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

/** What Debian's archive is signed with; apt does not say which key a source names. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const QUERY_TIMEOUT_MS = 30_000;
const FETCH_TIMEOUT_MS = 5 * 60_000;

/**
 * Fetches packages from where the machine has the rest of Debian from, and unpacks them.
 *
 * @param {readonly string[]} names
 * @param {string} work an empty directory, for apt's lists and the archives
 * @param {string} to where to unpack
 * @throws {Error} with the words of the program that failed
 */
export async function unpackContrib(names, work, to) {
  const lists = join(work, "lists");
  const sources = join(work, "sources.list");
  for (const directory of [join(lists, "partial"), to]) mkdirSync(directory, { recursive: true });
  writeFileSync(sources, `${(await contribSources()).join("\n")}\n`);
  const apt = [
    ...["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Etc::sourcelist=${sources}`],
    ...["-o", "Dir::Etc::sourceparts=/dev/null", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="],
    // The directory belongs to whoever runs this, not to apt's own user.
    ...["-o", "APT::Sandbox::User=", "--quiet=2"],
  ];
  await must("apt-get", [...apt, "update"], work);
  await must("apt-get", [...apt, "download", ...names], work);
  for (const archive of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
    // /sbin and /lib are links into /usr here, and must stay so.
    const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"';
    await must("bash", ["-o", "pipefail", "-c", unpack, "unpack", archive, to], work);
  }
}

/** The machine's own sources of Debian's main, with another component. */
async function contribSources() {
  const format = "$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)";
  const { output } = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], {
    timeoutMs: QUERY_TIMEOUT_MS,
    quiet: true,
  });
  const lines = output.split("\n").flatMap((line) => {
    const [origin, component, address, release] = line.split("|");
    if (origin !== "Debian" || component !== "main") return [];
    return `deb ${existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : ""}${address} ${release} contrib`;
  });
  if (lines.length === 0) throw new Error("apt knows no source of Debian's main (apt-get update?).");
  return [...new Set(lines)];
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} cwd
 */
async function must(program, args, cwd) {
  const { status, output } = await run(program, args, { cwd, timeoutMs: FETCH_TIMEOUT_MS, quiet: true });
  if (status !== 0) {
    throw new Error(`${program} ended with status ${status}:\n${output.trimEnd().split("\n").slice(-15).join("\n")}`);
  }
}
