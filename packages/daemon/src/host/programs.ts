import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { hostError } from "./errors.js";
import { joinPath } from "./names.js";

/** Storage tools live here even where a user's PATH does not say so. */
const systemDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The absolute path of a program: as given, or found in PATH and the system's own directories. ENOENT with its name. */
export async function findProgram(program: string): Promise<string> {
  if (program.includes("/")) {
    if (program.startsWith("/") && (await isProgram(program))) return program;
  } else {
    const directories = (process.env["PATH"] ?? "").split(":").filter((directory) => directory.startsWith("/"));
    for (const directory of [...directories, ...systemDirectories]) {
      const candidate = joinPath(directory, program);
      if (await isProgram(candidate)) return candidate;
    }
  }
  throw hostError("ENOENT", `The program "${program}" was not found`);
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
