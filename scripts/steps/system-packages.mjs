// Debian's packages that tests need: scripts/system-packages.json says which and why.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { withoutServices } from "./policy-rc.mjs";
import { run } from "./run.mjs";

const QUERY_TIMEOUT_MS = 30_000;
const APT_TIMEOUT_MS = 10 * 60_000;

/**
 * Installs what is missing where that is possible (root, Debian), else says what to type. Never fails: a test without
 * its program names itself in the closing summary.
 *
 * @param {string} root
 * @param {boolean} mayInstall
 */
export async function installSystemPackages(root, mayInstall) {
  const missing = await missingPackages(root);
  if (missing.length === 0) return;
  const line = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (!existsSync("/usr/bin/apt-get")) {
    process.stdout.write(`Not Debian: some tests need the programs of its packages ${missing.join(", ")}.\n`);
  } else if (!mayInstall || process.getuid?.() !== 0) {
    process.stdout.write(`Some tests need more packages. To install them:\n\n  sudo ${line}\n\n`);
  } else {
    process.stdout.write(`Installing Debian packages: ${missing.join(" ")}\n`);
    const failure = await withoutServices(() => aptInstall(missing));
    if (failure !== null) process.stdout.write(`${failure}\napt-get failed; to see why:\n\n  ${line}\n\n`);
  }
}

/**
 * @param {string} root
 * @returns {Promise<string[]>}
 */
async function missingPackages(root) {
  /** @type {readonly { readonly name: string }[]} */
  const wanted = JSON.parse(readFileSync(join(root, "scripts/system-packages.json"), "utf8"));
  const names = wanted.map(({ name }) => name);
  // One line "name status" per known package; unknown ones only make it exit with 1.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these braces are dpkg-query's
  const format = "${Package} ${db:Status-Status}\\n";
  const { output } = await run("dpkg-query", ["--show", "--showformat", format, ...names], {
    timeoutMs: QUERY_TIMEOUT_MS,
    quiet: true,
  });
  const installed = new Set(output.split("\n").flatMap((line) => /^(\S+) installed$/.exec(line)?.[1] ?? []));
  return names.filter((name) => !installed.has(name));
}

/**
 * @param {readonly string[]} names
 * @returns {Promise<string | null>} what apt-get said when it failed
 */
async function aptInstall(names) {
  const install = ["install", "--yes", "--no-install-recommends", ...names];
  let result = await apt(install);
  if (result.status === 0 || result.timedOut) return result.status === 0 ? null : tail(result.output);
  // No package lists yet, or lists so old that the archive has moved on.
  await apt(["update"]);
  result = await apt(install);
  return result.status === 0 ? null : tail(result.output);
}

/** @param {readonly string[]} args */
function apt(args) {
  return run("apt-get", ["--quiet=2", "-o", "DPkg::Lock::Timeout=120", ...args], {
    timeoutMs: APT_TIMEOUT_MS,
    quiet: true,
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
  });
}

/** @param {string} text */
function tail(text) {
  return text.trimEnd().split("\n").slice(-15).join("\n");
}
