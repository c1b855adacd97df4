import { constants } from "node:fs";
import { type FileHandle, open, readFile, stat, unlink } from "node:fs/promises";
import { ConfigurationError, codeOf, InUseError, reasonOf } from "./errors.js";
import type { PlacesMode } from "./places.js";

/**
 * Takes an exclusive POSIX lock on the first byte of an open file, as libvirt's daemons do on their `driver.pid`, or tells
 * which process holds it (0: one that cannot be told). The lock falls when this process closes any descriptor of the file.
 */
export type LockDescriptor = (descriptor: number) => "locked" | { readonly heldBy: number };

/** A lock this process holds. The daemon keeps it until it ends. */
export interface HeldLock {
  release(): Promise<void>;
}

/** What the lock keeps others from managing, for the sentence that names its holder. */
export type LockedThing = "storage" | "secrets";

/**
 * Makes this process the one that manages the storage (or the secrets), and writes its number into the lock file.
 * @throws InUseError naming who holds the lock and how to free it; ConfigurationError when the file cannot be opened.
 */
export async function acquireLock(
  path: string,
  thing: LockedThing,
  mode: PlacesMode,
  lock: LockDescriptor,
): Promise<HeldLock> {
  for (;;) {
    const file = await openLockFile(path, thing);
    let held = false;
    try {
      const outcome = lock(file.fd);
      if (outcome !== "locked") throw await inUse(path, thing, mode, outcome.heldBy);
      // Who ends removes the file: then this descriptor may be of a file that nobody else will ever open.
      held = await isStillAt(file, path);
      if (!held) continue;
      await file.truncate(0);
      await file.write(`${process.pid}\n`, 0);
      return { release: () => release(file, path) };
    } finally {
      if (!held) await file.close();
    }
  }
}

async function openLockFile(path: string, thing: LockedThing): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  } catch (error) {
    throw new ConfigurationError(`The lock of the ${thing}, '${path}', cannot be opened: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

async function isStillAt(file: FileHandle, path: string): Promise<boolean> {
  const mine = await file.stat({ bigint: true });
  try {
    const there = await stat(path, { bigint: true });
    return there.dev === mine.dev && there.ino === mine.ino;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** The file goes first, while the lock is held: whoever waits for it sees that it is another file now. */
async function release(file: FileHandle, path: string): Promise<void> {
  try {
    if (await isStillAt(file, path)) await unlink(path);
  } finally {
    await file.close();
  }
}

interface Holder {
  readonly processId: number;
  /** The program's short name, null when the process cannot be seen from here. */
  readonly name: string | null;
  readonly commandLine: string;
}

async function inUse(path: string, thing: LockedThing, mode: PlacesMode, heldBy: number): Promise<InUseError> {
  const holder = await findHolder(heldBy);
  const who =
    holder === null
      ? "another process"
      : holder.name === null
        ? `process ${holder.processId}, which cannot be seen from here`
        : `${holder.name} (process ${holder.processId}: ${holder.commandLine})`;
  const commands = commandsToFree(holder, mode).map((command) => `\n  ${command}`);
  const advice = commands.length === 0 ? "" : `\nThis frees it:${commands.join("")}`;
  return new InUseError(`The ${thing} here is managed by ${who} already, which holds '${path}'.${advice}`);
}

async function findHolder(processId: number): Promise<Holder | null> {
  if (processId <= 0) return null; // a lock by open file description, or of another PID namespace
  try {
    const [name, commandLine] = await Promise.all([
      readFile(`/proc/${processId}/comm`, "utf8"),
      readFile(`/proc/${processId}/cmdline`, "utf8"),
    ]);
    const words = commandLine.split("\0").filter((word) => word !== "");
    return { processId, name: programName(name.trim(), words), commandLine: words.join(" ") };
  } catch {
    return { processId, name: null, commandLine: "" };
  }
}

/** A Node program's process is named "node" or "MainThread": its script says more. */
function programName(name: string, words: readonly string[]): string {
  return words.slice(0, 2).some((word) => /(^|\/)cisternd(\.js)?$/.test(word)) ? "cisternd" : name;
}

/** Services and their sockets: with the socket left alone, systemd would start the service again at the next client. */
const LIBVIRT_UNITS: Readonly<Record<string, string>> = {
  virtstoraged: "virtstoraged.service virtstoraged.socket virtstoraged-ro.socket virtstoraged-admin.socket",
  virtsecretd: "virtsecretd.service virtsecretd.socket virtsecretd-ro.socket virtsecretd-admin.socket",
  libvirtd:
    "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd-tcp.socket libvirtd-tls.socket",
};

function commandsToFree(holder: Holder | null, mode: PlacesMode): string[] {
  if (holder === null || holder.name === null) {
    return mode === "drop-in" ? stopUnits(["virtstoraged", "libvirtd"]) : [];
  }
  if (LIBVIRT_UNITS[holder.name] !== undefined) return stopUnits([holder.name]);
  return [`kill ${holder.processId}`];
}

function stopUnits(names: readonly string[]): string[] {
  return names.map((name) => `systemctl stop ${LIBVIRT_UNITS[name] ?? name}`);
}
