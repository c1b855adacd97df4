import { accessSync, constants } from "node:fs";

/** What a test cannot do without. */
export interface Requirements {
  readonly root?: boolean;
  readonly programs?: readonly string[];
  /** Device nodes and the like. */
  readonly paths?: readonly string[];
}

/** Why a test cannot run here; null when it can. For `context.skip(reason !== null, reason)`. */
export function missing(requirements: Requirements): string | null {
  if (requirements.root && process.getuid?.() !== 0) return "needs root";
  const program = requirements.programs?.find((name) => !isInstalled(name));
  if (program !== undefined) return `needs the program ${program}`;
  const path = requirements.paths?.find((candidate) => !isThere(candidate, constants.F_OK));
  return path === undefined ? null : `needs ${path}`;
}

function isInstalled(program: string): boolean {
  return ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((directory) =>
    isThere(`${directory}/${program}`, constants.X_OK),
  );
}

function isThere(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
