import { constants } from "node:fs";
import { access, chmod, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ConfigurationError, codeOf, reasonOf } from "./errors.js";
import type { Places, PlacesMode } from "./places.js";

interface PlannedDirectory {
  readonly path: string;
  /** Of a directory that is made; one that exists keeps its mode. */
  readonly mode: number;
  /** Ends the sentence "The daemon keeps … in". */
  readonly holds: string;
}

/** Parents of the places (DIR itself of `--root DIR`, ~/.config) are made like any directory a person makes. */
const PARENT_MODE = 0o755;

/**
 * Makes the daemon's directories where they are missing, and sees that each can be written.
 * Directories that exist keep their mode; what is noteworthy about them comes back as sentences for the log.
 * @throws ConfigurationError naming the directory and why it cannot be used.
 */
export async function prepareDirectories(places: Places): Promise<string[]> {
  const warnings: string[] = [];
  for (const directory of plan(places)) {
    await makeMissing(directory, places.mode);
    const warning = await checkUsable(directory, places.mode);
    if (warning !== null) warnings.push(warning);
  }
  return warnings;
}

function plan(places: Places): PlannedDirectory[] {
  // Other users reach the sockets through the run directory; their modes say who may connect.
  const runMode = places.mode === "user" ? 0o700 : 0o755;
  const directories: PlannedDirectory[] = [
    { path: places.configDirectory, mode: places.mode === "user" ? 0o700 : 0o755, holds: "its configuration" },
    { path: places.poolDirectory, mode: 0o700, holds: "pool definitions" },
    { path: places.secretDirectory, mode: 0o700, holds: "secrets" },
    { path: places.runDirectory, mode: runMode, holds: "its sockets" },
    { path: places.poolStateDirectory, mode: 0o700, holds: "the state of active pools" },
    { path: places.privateDirectory, mode: 0o700, holds: "short-lived passphrase files" },
    { path: dirname(places.systemTokenFile), mode: 0o700, holds: "the system token" },
    ...(places.secretLockFile === null
      ? []
      : [{ path: dirname(places.secretLockFile), mode: 0o700, holds: "the lock of the secrets" }]),
    { path: places.stateDirectory, mode: 0o700, holds: "what must outlive a reboot" },
    { path: places.journalDirectory, mode: 0o700, holds: "its journal" },
    { path: places.attachmentsDirectory, mode: 0o700, holds: "what it knows of guests" },
  ];
  return directories.filter(({ path }, index) => directories.findIndex((other) => other.path === path) === index);
}

async function makeMissing(directory: PlannedDirectory, mode: PlacesMode): Promise<void> {
  try {
    await mkdir(directory.path, { mode: directory.mode });
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    if (codeOf(error) !== "ENOENT") throw refusal(directory, "cannot make", error, mode);
    await mkdir(dirname(directory.path), { recursive: true, mode: PARENT_MODE })
      .then(() => mkdir(directory.path, { mode: directory.mode }))
      .catch((cause: unknown) => {
        throw refusal(directory, "cannot make", cause, mode);
      });
  }
  await chmod(directory.path, directory.mode); // the umask has no say in who may reach sockets and secrets
}

/** Returns a sentence for the log, or null when all is well. */
async function checkUsable(directory: PlannedDirectory, mode: PlacesMode): Promise<string | null> {
  try {
    const facts = await stat(directory.path);
    if (!facts.isDirectory()) {
      throw new ConfigurationError(
        `The daemon keeps ${directory.holds} in '${directory.path}', but that is not a directory.`,
      );
    }
    await access(directory.path, constants.R_OK | constants.W_OK | constants.X_OK);
    if (directory.holds === "secrets" && (facts.mode & 0o077) !== 0) {
      const found = (facts.mode & 0o777).toString(8).padStart(4, "0");
      return `The secrets directory '${directory.path}' has mode ${found}: other users may look into it; 0700 is right.`;
    }
    return null;
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw refusal(directory, "cannot write to", error, mode);
  }
}

function refusal(directory: PlannedDirectory, verb: string, error: unknown, mode: PlacesMode): ConfigurationError {
  const code = codeOf(error);
  return new ConfigurationError(
    `The daemon keeps ${directory.holds} in '${directory.path}', which it ${verb}: ${reasonOf(error)}. ${advice(code, mode)}`,
    { cause: error },
  );
}

function advice(code: string, mode: PlacesMode): string {
  if (code !== "EACCES" && code !== "EPERM") return "Choose another place with --root DIR, or mend this one.";
  if (mode === "root-directory") return "Choose a directory of your own for --root, or run the daemon as its owner.";
  if (mode === "user") return "See who owns it, or choose another place with --root DIR.";
  return "Run the daemon as root with the right to write there, or choose another place with --root DIR.";
}
