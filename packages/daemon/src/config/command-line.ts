import { isAbsolute, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "./errors.js";

/** What the person who starts the daemon asked for. Paths are absolute. */
export interface CommandLine {
  readonly action: "run" | "help" | "version";
  /** `--root DIR`: everything below one directory. */
  readonly rootDirectory: string | null;
  /** `--config FILE`; null: the default place, where it may be absent. */
  readonly configFile: string | null;
  /** `--drop-in`: in the place of libvirt's own storage daemon. */
  readonly dropIn: boolean;
  /** `--verbose`: log level debug, whatever the configuration says. */
  readonly verbose: boolean;
}

export const HELP = `Usage: cisternd [--root DIR | --drop-in] [--config FILE] [--verbose]

Cistern's storage daemon: virsh, python3-libvirt and every other libvirt client
manage this host's storage pools and volumes through it.

  --root DIR      keep everything below DIR: DIR/etc, DIR/run and DIR/var.
                  Needs no root; several daemons can run side by side.
  --drop-in       take the place of libvirt's own storage daemon: its pool
                  definitions, autostart links, running state and sockets.
                  Needs root, and libvirt's storage daemon stopped.
  --config FILE   read FILE (TOML) instead of the default cisternd.toml
  --verbose       log what is done in detail (log_level = "debug")
  --help          show this text
  --version       show the version

Without --root and --drop-in the places depend on who starts it:

             as root                      as another user
  settings   /etc/cistern/cisternd.toml   ~/.config/cistern/cisternd.toml
  pools      /etc/cistern/storage/        ~/.config/cistern/storage/
  secrets    /etc/cistern/secrets/        ~/.config/cistern/secrets/
  sockets    /run/cistern/libvirt-sock    $XDG_RUNTIME_DIR/cistern/libvirt-sock
             and libvirt-sock-ro          and libvirt-sock-ro
  state      /var/lib/cistern/            ~/.local/state/cistern/

Try it:
  cisternd --root /tmp/c &
  virsh -c 'storage+unix:///system?socket=/tmp/c/run/libvirt-sock' pool-list

SIGTERM and SIGINT end the daemon and leave pools as they are; SIGHUP reads the
settings and definitions again.

Exit status: 0 ended cleanly, 1 failed, 2 wrong usage or configuration,
3 the storage is managed by another process already.
`;

const OPTIONS = {
  root: { type: "string" },
  config: { type: "string" },
  "drop-in": { type: "boolean" },
  verbose: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

/**
 * Reads the words after the program's name. `workingDirectory` is where relative paths start.
 * @throws UsageError
 */
export function parseCommandLine(words: readonly string[], workingDirectory: string): CommandLine {
  const { tokens } = parseArgs({
    args: [...words],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string | undefined>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      throw new UsageError(`cisternd takes no argument '${token.value}', only options.`);
    }
    const option = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name as keyof typeof OPTIONS] : null;
    if (option === null) throw new UsageError(`cisternd has no option ${token.rawName}.`);
    if (given.has(token.name)) throw new UsageError(`${token.rawName} is given twice.`);
    if (option.type === "boolean" && token.value !== undefined) {
      throw new UsageError(`${token.rawName} takes no value, but '${token.value}' is given.`);
    }
    if (option.type === "string" && isMissing(token.value, token.inlineValue === true)) {
      throw new UsageError(`${token.rawName} needs a ${token.name === "root" ? "directory" : "file"}.`);
    }
    given.set(token.name, token.value);
  }

  const rootDirectory = pathOf(given.get("root"), workingDirectory);
  const dropIn = given.has("drop-in");
  if (dropIn && rootDirectory !== null) {
    throw new UsageError(
      "--root and --drop-in exclude each other: one keeps apart from libvirt, the other takes its place.",
    );
  }
  return {
    action: given.has("help") ? "help" : given.has("version") ? "version" : "run",
    rootDirectory,
    configFile: pathOf(given.get("config"), workingDirectory),
    dropIn,
    verbose: given.has("verbose"),
  };
}

/** `--root --drop-in` is a forgotten directory, not a directory named "--drop-in" (that is `--root=--drop-in`). */
function isMissing(value: string | undefined, inline: boolean): boolean {
  return value === undefined || value === "" || (!inline && value.startsWith("-"));
}

function pathOf(value: string | undefined, workingDirectory: string): string | null {
  if (value === undefined) return null;
  return isAbsolute(value) ? resolve(value) : resolve(workingDirectory, value);
}
