import { rmdirSync, symlinkSync } from "node:fs";
import type { TestContext } from "vitest";
import { type LoopType, loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import type { Storage } from "./storage.js";

/** Puts a pool's empty directory on a file system of its own. */
export function directoryOn(
  type: LoopType,
  directory: string,
  storage: Storage,
  context: TestContext,
): AsyncDisposable {
  const lacking = missing(loopRequirements(type));
  if (lacking !== null) context.skip(`needs ${lacking}`);
  const disk = mountLoop(type);
  rmdirSync(directory);
  symlinkSync(disk.mountPoint, directory);
  return {
    [Symbol.asyncDispose]: async () => {
      // They hold the pool's directory, which keeps the disk busy.
      await storage.laboratory.hosts.close();
      disk.unmount();
    },
  };
}
