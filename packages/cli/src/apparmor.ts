import { readFile } from "node:fs/promises";
import type { DiskBacking, DiskDocument, DiskSource } from "@cistern/documents";

const ENABLED = "/sys/module/apparmor/parameters/enabled";

/** Whether this machine's kernel confines programs by AppArmor. */
export async function confinesByAppArmor(path: string = ENABLED): Promise<boolean> {
  const text = await readFile(path, "latin1").catch(() => "");
  return text.startsWith("Y");
}

/** Where rules for all guests stand that packages do not overwrite. */
export const GUEST_RULES_FILE = "/etc/apparmor.d/local/abstractions/libvirt-qemu";

/**
 * The rules that a guest's profile needs for a volume at `path`. libvirt's helper writes them itself for a disk by path, and
 * for the chain behind it; a disk by the names of pool and volume it cannot look up.
 */
export function rulesFor(path: string, { isReadOnly, backing, dataStore }: DiskDocument): string[] {
  const own = dataStore === null ? [path] : [path, pathOf(dataStore.source)];
  return [...own.map((place) => ruleOf(place, isReadOnly ? "rk" : "rwk")), ...rulesOfChain(backing)].filter(
    (rule) => rule !== null,
  );
}

function rulesOfChain(backing: DiskBacking | "end" | null): (string | null)[] {
  if (backing === null || backing === "end") return [];
  const data = backing.dataStore === null ? [] : [ruleOf(pathOf(backing.dataStore.source), "rk")];
  return [ruleOf(pathOf(backing.source), "rk"), ...data, ...rulesOfChain(backing.backing)];
}

function pathOf(source: DiskSource): string | null {
  return "path" in source ? source.path : null;
}

/** In AppArmor's language these stand for more than themselves. */
function ruleOf(path: string | null, access: string): string | null {
  return path === null ? null : `"${path.replace(/["\\*?[\]{}^]/g, "\\$&")}" ${access},`;
}
