import { existsSync, readFileSync } from "node:fs";

/** What a real program said: `recorded/TOOL/NAME.stdout`, `.stderr` and `.status` (a README beside them says where). */
export function recorded(tool: string, name: string): { stdout: string; stderr: string; exitStatus: number } {
  const text = (part: string): string => {
    const url = new URL(`recorded/${tool}/${name}.${part}`, import.meta.url);
    return existsSync(url) ? readFileSync(url, "utf8") : "";
  };
  return { stdout: text("stdout"), stderr: text("stderr"), exitStatus: Number(text("status") || Number.NaN) };
}

export function recordedFile(tool: string, name: string): Uint8Array {
  return readFileSync(new URL(`recorded/${tool}/${name}`, import.meta.url));
}

/** A command line as a person would type it; what is not shown stands in brackets. */
export function typed({ program, args }: { program: string; args: readonly unknown[] }): string {
  const shown = args.map((argument) => {
    if (typeof argument === "string") return argument;
    if (typeof argument === "object" && argument !== null && "unshown" in argument) return `[${argument.unshown}]`;
    throw new Error("a file is no text");
  });
  return [program, ...shown].join(" ");
}
