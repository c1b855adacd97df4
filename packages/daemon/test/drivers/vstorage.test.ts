import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { PoolDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { missing } from "../../../../tests/support/requirements.ts";
import { vstorageDriver } from "../../dist/drivers/vstorage.js";
import { complies } from "./compliance.js";
import { pool, volume } from "./documents.js";
import { errorOf, Laboratory } from "./laboratory.js";
import { mountsOf, unmountTarget } from "./mounting.js";

// The product is not to be had: a program of its name mounts a file system in memory under the source that the mount
// table would show, so that all but the cluster itself is real.
const PROGRAM = `#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
[ "$2" = absent ] && { echo "cluster $2 is unknown" >&2; exit 2; }
exec mount -t tmpfs -o "size=64m,mode=$5" "vstorage://$2" "$3"
`;
const reason = missing({ root: true, programs: ["mount", "getent"] });
const path = process.env["PATH"];

function withProgram(laboratory: Laboratory): void {
  mkdirSync(laboratory.path("bin"), { recursive: true });
  writeFileSync(laboratory.path("bin/vstorage-mount"), PROGRAM, { mode: 0o755 });
  process.env["PATH"] = `${laboratory.path("bin")}:${path}`;
  laboratory.keep({
    [Symbol.dispose]: () => {
      process.env["PATH"] = path;
      unmountTarget(laboratory.path("images"));
    },
  });
}

function poolOf(laboratory: Laboratory, name: string | null, more: Partial<PoolDocument["target"]> = {}): PoolDocument {
  const { source, target, ...rest } = pool("vstorage", laboratory.path("images"));
  return { ...rest, source: { ...source, name }, target: { ...target, ...more } };
}

describe.skipIf(reason !== null)(`on a stand-in for the cluster${reason === null ? "" : `: ${reason}`}`, () => {
  complies("vstorage", {
    driver: vstorageDriver,
    nearness: "commands",
    pool: async (laboratory) => {
      withProgram(laboratory);
      return poolOf(laboratory, "stor1");
    },
    volume: (name) => volume(name, { capacityBytes: 1_048_576n, allocationBytes: 0n }),
  });

  describe("the commands", () => {
    let laboratory: Laboratory;
    const start = (document: PoolDocument) => vstorageDriver.start?.(document, laboratory.host, laboratory.poolContext);
    const calls = () => readFileSync(laboratory.path("bin/calls"), "utf8");

    beforeEach(() => {
      laboratory = new Laboratory();
      withProgram(laboratory);
      mkdirSync(laboratory.path("images"));
    });
    afterEach(() => laboratory.close());

    test("the document's mode, and names of its owner and group", async () => {
      const permissions = { mode: 0o750, owner: 1, group: 0, label: null };
      const document = poolOf(laboratory, "stor1", { permissions });
      const target = laboratory.path("images");
      expect(await start(document)).toEqual({ made: [`mount ${target}`] });
      expect(calls()).toBe(`-c stor1 ${target} -m 750 -g root -u daemon\n`);
      expect(mountsOf(target)).toEqual([`${target} tmpfs vstorage://stor1`]);
      // Once is enough.
      expect(await start(document)).toEqual({ made: [] });
      expect(await vstorageDriver.check(document, laboratory.host)).toBe(true);
      expect(await vstorageDriver.check(poolOf(laboratory, "stor2"), laboratory.host)).toBe(false);
    });

    test("libvirt's mode and the daemon's user where the document says nothing", async () => {
      await start(poolOf(laboratory, "stor1"));
      expect(calls()).toBe(`-c stor1 ${laboratory.path("images")} -m 711 -g root -u root\n`);
    });

    test("a cluster that is unknown, a user that is, no name at all, no program", async () => {
      const failed = (document: PoolDocument) => errorOf(start(document) ?? Promise.reject());
      expect(await failed(poolOf(laboratory, "absent"))).toMatch(
        /^1\/0 internal error: Child process \(.*vstorage-mount -c absent .*\) unexpected exit status 2: cluster absent is unknown/,
      );
      const permissions = { mode: null, owner: 4_000_000, group: 0, label: null };
      expect(await failed(poolOf(laboratory, "stor1", { permissions }))).toContain("getent passwd 4000000");
      expect(await failed(poolOf(laboratory, null))).toBe("67/18 unsupported configuration: missing source name");
      process.env["PATH"] = path;
      expect(await failed(poolOf(laboratory, "stor1"))).toMatch(/^38\/0 Cannot find 'vstorage-mount' in path/);
    });

    test("build knows no flags", async () => {
      const built = vstorageDriver.build?.(poolOf(laboratory, "stor1"), laboratory.host, 8) ?? Promise.reject();
      expect(await errorOf(built)).toBe("8/18 unsupported flags (0x8) in function virStorageBackendVzPoolBuild");
    });
  });
});
