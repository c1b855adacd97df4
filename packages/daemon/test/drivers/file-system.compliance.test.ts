import { describe } from "vitest";
import { loopRequirements } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { fileSystemDriver } from "../../dist/drivers/file-system.js";
import { complies } from "./compliance.js";
import { pool, volume } from "./documents.js";
import { loopDevice, makeFileSystem } from "./mounting.js";

for (const type of ["xfs", "btrfs"] as const) {
  const reason = missing(loopRequirements(type));
  describe.skipIf(reason !== null)(`on ${type}${reason === null ? "" : `: ${reason}`}`, () => {
    complies("fs", {
      driver: fileSystemDriver,
      pool: async (laboratory) => {
        const device = { path: loopDevice(laboratory), partSeparator: null, freeExtents: [] };
        const { source, ...rest } = pool("fs", laboratory.path("images"));
        return { ...rest, source: { ...source, devices: [device], format: type } };
      },
      prepare: async (document) => makeFileSystem(type, document.source.devices[0]?.path ?? ""),
      volume: (name) => volume(name, { capacityBytes: 1_048_576n, allocationBytes: 0n }),
    });
  });
}
