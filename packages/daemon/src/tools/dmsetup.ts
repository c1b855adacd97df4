import type { Command } from "../host/host.js";

/**
 * Lists the maps that have a target of the type. Names are given as the kernel has them, which is how their nodes in
 * /dev/mapper are called: dmsetup would show "\x20" as a blank.
 */
export function listMaps(target: string): Command {
  return {
    program: "dmsetup",
    args: ["ls", "--target", target],
    environment: { DM_DEFAULT_NAME_MANGLING_MODE: "none" },
  };
}

export interface DeviceMap {
  readonly name: string;
  readonly minor: number;
}

/**
 * ```
 * mpatha<TAB>(254, 0)
 * mpathb<TAB>(254, 1)
 * ```
 * Name, then major and minor number; other versions write `(254:0)`. "No devices found" for none. In dmsetup's order, which
 * is that of the names.
 */
export function parseMaps(output: string): DeviceMap[] {
  const maps: DeviceMap[] = [];
  for (const line of output.split("\n")) {
    const [, name, minor] = /^(.+)\t\(\d+(?:, |:)(\d+)\)$/.exec(line) ?? [];
    if (name !== undefined && minor !== undefined) maps.push({ name, minor: Number(minor) });
  }
  return maps;
}

/** What dmsetup says where the kernel has no device-mapper: then there are no maps. */
export function hasNoDeviceMapper(stderr: string): boolean {
  return /control: open failed: No such (?:device|file)|Is device-mapper driver missing from kernel/.test(stderr);
}
