import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { type LoopType, loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import type { Directory, Host } from "../../dist/host/index.js";
import { remoteHost, testHosts } from "./support.ts";

export type PlaceType = LoopType | "tmpfs";

export interface Place {
  readonly type: PlaceType;
  readonly home: Host["home"];
  /** Empty before each test. */
  readonly path: string;
  readonly directory: Directory;
}

/** The same tests on each of these file systems, through both homes. `place()` is to be asked within a test. */
export function onFileSystems(types: readonly PlaceType[], tests: (place: () => Place, type: PlaceType) => void): void {
  describe.each(types)("on %s", (type) => {
    const reason = missing(type === "tmpfs" ? { root: true } : loopRequirements(type));
    let mounted: { readonly mountPoint: string; unmount(): void };
    beforeAll(() => {
      if (reason !== null) return;
      mounted = type === "tmpfs" ? mountTmpfs() : mountLoop(type);
    });
    afterAll(() => {
      if (reason === null) mounted.unmount();
    });
    describe.each(["local", "remote"] as const)("in a %s home", (home) => {
      const hosts = testHosts();
      let remote: Host | null = null;
      let place: Place;
      let counter = 0;
      beforeEach(async (context) => {
        context.skip(reason !== null, reason ?? "");
        const path = `${mounted.mountPoint}/${home}${counter++}`;
        mkdirSync(path);
        remote ??= home === "remote" ? remoteHost(mounted.mountPoint) : null;
        const host = remote ?? hosts.local;
        const directory = await host.openDirectory(path);
        place = { type, home, path, directory };
        return async () => {
          await directory.close();
          await host.letGo?.(path);
          rmSync(path, { recursive: true });
        };
      });
      tests(() => place, type);
    });
  });
}

function mountTmpfs(): { readonly mountPoint: string; unmount(): void } {
  const mountPoint = mkdtempSync(`${tmpdir()}/cistern-tmpfs-`);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m", "none", mountPoint]);
  return {
    mountPoint,
    unmount: () => {
      execFileSync("umount", [mountPoint]);
      rmSync(mountPoint, { recursive: true });
    },
  };
}
