import { isAbsolute, join } from "node:path";
import type { CommandLine } from "./command-line.js";
import { ConfigurationError } from "./errors.js";

/** Where this daemon keeps and finds everything. All paths are absolute. */
export interface Places {
  readonly mode: PlacesMode;
  /** Holds cisternd.toml, the pool directory and the secret directory. */
  readonly configDirectory: string;
  readonly configFile: string;
  /** Named on the command line, and therefore an error when it is absent. */
  readonly configFileIsRequired: boolean;
  /** `<name>.xml` of every persistent pool. */
  readonly poolDirectory: string;
  /** `<name>.xml` links to the definitions of pools that start with the host. */
  readonly autostartDirectory: string;
  /** `<uuid>.xml` and `<uuid>.base64` of every persistent secret. */
  readonly secretDirectory: string;
  /** Holds the sockets; does not outlive a reboot. */
  readonly runDirectory: string;
  /** `<name>.xml` of every active pool, and the lock. */
  readonly poolStateDirectory: string;
  /** Exists once the autostart pools of this boot were started. */
  readonly autostartedMarker: string;
  /** Held (fcntl) by the one process that manages this storage. */
  readonly lockFile: string;
  /** Held while libvirt's own secrets are managed here and not by virtsecretd. Null: `lockFile` covers the secrets. */
  readonly secretLockFile: string | null;
  readonly socketPath: string;
  readonly readOnlySocketPath: string;
  /** For short-lived files nobody else may read, passphrases for qemu-img. */
  readonly privateDirectory: string;
  /** What must outlive a reboot and is not configuration. */
  readonly stateDirectory: string;
  /** What this daemon's work would leave behind if it died. No two daemons that can run at one time share it. */
  readonly journalDirectory: string;
  /** Held as well: two daemons of a user may have different directories of the session, and still one journal. */
  readonly journalLockFile: string;
  /** What the sources of guests' documents told last, for a daemon to which they do not answer. */
  readonly attachmentsDirectory: string;
  /** Proof between the daemons of this host, which they all can read and no user can. */
  readonly systemTokenFile: string;
  /** virtsecretd's socket: secrets are asked for there, when it exists. Null: secrets are this daemon's own. */
  readonly secretDaemonSocketPath: string | null;
}

/** `system` and `user` follow who starts the daemon, the others are asked for. */
export type PlacesMode = "system" | "user" | "root-directory" | "drop-in";

/** What the places depend on besides the command line. */
export interface Surroundings {
  readonly userId: number;
  readonly homeDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The kernel's sun_path has 108 bytes including the final NUL. */
export const SOCKET_PATH_LIMIT_BYTES = 107;

/**
 * Touches nothing on disk.
 * @throws ConfigurationError when a socket's path would be too long, or root is needed and absent.
 */
export function findPlaces(commandLine: CommandLine, surroundings: Surroundings): Places {
  const places = choose(commandLine, surroundings);
  const { configFile } = commandLine;
  const chosen = configFile === null ? places : { ...places, configFile, configFileIsRequired: true };
  checkSocketPaths(chosen);
  return chosen;
}

function choose(commandLine: CommandLine, surroundings: Surroundings): Places {
  if (commandLine.rootDirectory !== null) {
    const root = commandLine.rootDirectory;
    return ownPlaces("root-directory", join(root, "etc"), join(root, "run"), join(root, "var"));
  }
  if (commandLine.dropIn) {
    if (surroundings.userId !== 0) {
      throw new ConfigurationError(
        "--drop-in takes the place of libvirt's storage daemon, whose files belong to root: run it as root. " +
          "A private daemon that needs no root: cisternd --root DIR.",
      );
    }
    return DROP_IN_PLACES;
  }
  if (surroundings.userId === 0) return ownPlaces("system", "/etc/cistern", "/run/cistern", "/var/lib/cistern");
  return userPlaces(surroundings);
}

function ownPlaces(mode: PlacesMode, config: string, run: string, state: string): Places {
  return {
    mode,
    configDirectory: config,
    configFile: join(config, "cisternd.toml"),
    configFileIsRequired: false,
    poolDirectory: join(config, "storage"),
    autostartDirectory: join(config, "storage/autostart"),
    secretDirectory: join(config, "secrets"),
    runDirectory: run,
    poolStateDirectory: join(run, "storage"),
    autostartedMarker: join(run, "storage/autostarted"),
    lockFile: join(run, "storage/driver.pid"),
    secretLockFile: null,
    socketPath: join(run, "libvirt-sock"),
    readOnlySocketPath: join(run, "libvirt-sock-ro"),
    privateDirectory: join(run, "private"),
    stateDirectory: state,
    journalDirectory: join(state, "journal"),
    journalLockFile: join(state, "journal.pid"),
    attachmentsDirectory: join(state, "attachments"),
    systemTokenFile: join(run, "private/system.token"),
    secretDaemonSocketPath: null,
  };
}

/** libvirt's own paths, so that what its storage daemon left simply appears, and can be handed back. */
const DROP_IN_PLACES: Places = {
  ...ownPlaces("drop-in", "/etc/libvirt", "/run/libvirt", "/var/lib/cistern"),
  journalDirectory: "/var/lib/cistern/drop-in/journal",
  journalLockFile: "/var/lib/cistern/drop-in/journal.pid",
  attachmentsDirectory: "/var/lib/cistern/drop-in/attachments",
  // /etc/libvirt belongs to libvirt's packages; our one file of settings stays in our own directory.
  configFile: "/etc/cistern/cisternd.toml",
  secretLockFile: "/run/libvirt/secrets/driver.pid",
  socketPath: "/run/libvirt/virtstoraged-sock",
  readOnlySocketPath: "/run/libvirt/virtstoraged-sock-ro",
  privateDirectory: "/run/cistern/private",
  systemTokenFile: "/run/libvirt/common/system.token",
  secretDaemonSocketPath: "/run/libvirt/virtsecretd-sock",
};

/** The XDG base directories. A relative path in these variables is to be ignored, says their specification. */
function userPlaces({ environment, homeDirectory }: Surroundings): Places {
  const directory = (variable: string, fallback: string): string => {
    const value = environment[variable];
    return value !== undefined && isAbsolute(value) ? value : join(homeDirectory, fallback);
  };
  // Without a runtime directory (no login session) libvirt, too, falls back to the cache directory.
  const runtime = environment["XDG_RUNTIME_DIR"];
  const run =
    runtime !== undefined && isAbsolute(runtime)
      ? join(runtime, "cistern")
      : join(directory("XDG_CACHE_HOME", ".cache"), "cistern/run");
  return ownPlaces(
    "user",
    join(directory("XDG_CONFIG_HOME", ".config"), "cistern"),
    run,
    join(directory("XDG_STATE_HOME", ".local/state"), "cistern"),
  );
}

function checkSocketPaths(places: Places): void {
  const longest = places.readOnlySocketPath;
  const bytes = Buffer.byteLength(longest);
  if (bytes <= SOCKET_PATH_LIMIT_BYTES) return;
  const advice =
    places.mode === "user"
      ? "Set XDG_RUNTIME_DIR to a shorter path, or choose a shorter directory with --root DIR."
      : "Choose a shorter directory for --root, or lead to it by a short symbolic link.";
  throw new ConfigurationError(
    `The socket's path '${longest}' has ${bytes} bytes, but the kernel takes at most ${SOCKET_PATH_LIMIT_BYTES}. ${advice}`,
  );
}
