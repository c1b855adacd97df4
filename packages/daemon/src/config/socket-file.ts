import { chmod, chown, readFile, unlink } from "node:fs/promises";
import { codeOf, InUseError } from "./errors.js";

/** The kernel's flag of a socket that listens (`__SO_ACCEPTCON`), in /proc/net/unix. */
const LISTENS = 0x10000;

/**
 * Removes the file a killed daemon left where a socket is to be. Asked of the kernel's table instead of by connecting:
 * a connection would make systemd start the daemon behind its socket unit.
 * @throws InUseError when a process listens there.
 */
export async function clearSocketFile(path: string): Promise<void> {
  if (await isListening(path)) {
    throw new InUseError(`Another process listens on '${path}' already.${adviceFor(path)}`);
  }
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Says who may connect: `group` null leaves the daemon's own. */
export async function protectSocketFile(path: string, mode: number, group: number | null): Promise<void> {
  if (group !== null) await chown(path, -1, group);
  await chmod(path, mode);
}

/** A line is "ffff…: 00000002 00000000 00010000 0001 01 12345 /run/libvirt/libvirt-sock": the fourth word has the flags. */
async function isListening(path: string): Promise<boolean> {
  const table = await readFile("/proc/net/unix", "utf8");
  const alias = path.startsWith("/run/") ? `/var${path}` : path;
  return table.split("\n").some((line) => {
    const match = /^\S+: \S+ \S+ ([0-9A-Fa-f]+) \S+ \S+ +\S+ (.+)$/.exec(line);
    if (match === null || (match[2] !== path && match[2] !== alias)) return false;
    return (Number.parseInt(match[1] ?? "0", 16) & LISTENS) !== 0;
  });
}

/** systemd's socket units listen while their service is stopped. */
function adviceFor(path: string): string {
  const unit = /\/(virtstoraged)-sock(-ro)?$/.exec(path);
  return unit === null
    ? ""
    : `\nThis frees it:\n  systemctl stop ${unit[1]}.socket ${unit[1]}-ro.socket ${unit[1]}-admin.socket`;
}
