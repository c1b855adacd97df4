import { readdirSync, writeFileSync } from "node:fs";
import { loadModules } from "./modules.js";
import { attempt, run, runDaemon, waitFor } from "./run.js";
import { settle } from "./udev.js";

/** One key in a line: multipathd takes no others. Every disk becomes a map, also one with a single path. */
const CONFIGURATION = `defaults {
  user_friendly_names yes
  find_multipaths no
  path_checker tur
  polling_interval 1
}
blacklist_exceptions {
  property ".*"
}
`;

/** Starts multipathd; before the disks appear. udev must have been started with `{ multipath: true }`. */
export function startMultipath(): void {
  writeFileSync("/etc/multipath.conf", CONFIGURATION);
  loadModules("dm-multipath", "dm-round-robin", "dm-service-time");
  runDaemon("multipathd");
}

/** Waits until so many maps stand in /dev/mapper; their names, such as ["mpatha", "mpathb"]. */
export function waitForMaps(count: number): Promise<readonly string[]> {
  settle();
  return waitFor(`the appearance of ${count} multipath maps`, () => {
    const maps = multipathMaps();
    return maps.length === count && maps;
  });
}

export function multipathMaps(): readonly string[] {
  return readdirSync("/dev/mapper")
    .filter((name) => /^mpath[a-z]+$/.test(name))
    .sort();
}

/** How many paths a map has. */
export function countPaths(map: string): number {
  // Fields of "dmsetup deps": 2 dependencies	: (8, 16) (8, 0)
  return Number(/^(\d+) dependencies/.exec(run("dmsetup", ["deps", map]))?.[1]);
}

/** Ends all maps, so that their disks can be taken away. Tried again while something (udev, mostly) has one open. */
export async function flushMaps(): Promise<void> {
  await waitFor("the end of all multipath maps", () => {
    attempt("multipath", ["-F"]);
    return multipathMaps().length === 0;
  });
}
