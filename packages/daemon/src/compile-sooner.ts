import { setFlagsFromString } from "node:v8";

/**
 * V8's settings by its major version: how often code has run before it is compiled for speed. A daemon's calls are long code that
 * runs once for each, so with V8's own settings, which are those of programs that loop, the first thousands of calls run in the
 * interpreter.
 */
const SETTINGS: ReadonlyMap<number, readonly string[]> = new Map([
  [11, ["--interrupt-budget=5000", "--ticks-before-optimization=1"]],
  [12, ["--invocation-count-for-maglev=50", "--invocation-count-for-turbofan=300"]],
  [13, ["--invocation-count-for-maglev=50", "--invocation-count-for-turbofan=300"]],
]);

/** None for a V8 that nobody has measured. */
export function settingsOf(v8Version: string): readonly string[] {
  return SETTINGS.get(Number(v8Version.split(".")[0])) ?? [];
}

/** For all threads. Before anything else runs: what has run already goes by the old settings. */
export function compileSooner(): void {
  for (const setting of settingsOf(process.versions.v8)) setFlagsFromString(setting);
}
