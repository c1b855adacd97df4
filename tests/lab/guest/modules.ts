import { run } from "./run.js";

/** Loads kernel modules, those that are loaded already too. Nothing unloads them: the guest ends with the suite. */
export function loadModules(...names: readonly string[]): void {
  run("modprobe", ["--all", ...names]);
}

/** Loads one with parameters, written as `name=value`. */
export function loadModule(name: string, ...parameters: readonly string[]): void {
  run("modprobe", [name, ...parameters]);
}
