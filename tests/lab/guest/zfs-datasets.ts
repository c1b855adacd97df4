import { run } from "./run.js";

/** Names of the datasets of a kind ("volume", "filesystem", "snapshot"), wherever below `dataset`. */
export function listDatasets(dataset: string, kind: string): readonly string[] {
  const output = run("zfs", ["list", "-H", "-r", "-t", kind, "-o", "name", dataset]);
  return output.split("\n").filter((name) => name !== "");
}

export function property(dataset: string, name: string): string {
  return run("zfs", ["get", "-Hp", "-o", "value", name, dataset]).trim();
}
