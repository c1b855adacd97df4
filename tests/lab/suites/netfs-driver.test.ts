import { chmodSync, chownSync } from "node:fs";
import type { PoolDocument } from "@cistern/documents";
import { afterAll, beforeAll, describe } from "vitest";
import { networkFileSystemDriver } from "../../../packages/daemon/dist/drivers/network-file-system.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import { pool, volume, type Wanted } from "../../../packages/daemon/test/drivers/documents.js";
import type { Laboratory } from "../../../packages/daemon/test/drivers/laboratory.js";
import { mountedAt } from "../guest/mounts.js";
import { startNfsServer } from "../guest/nfs.js";
import { attempt, run } from "../guest/run.js";

const OWNER = 1234;
let directoryOf: (path: string) => string;

beforeAll(() => {
  directoryOf = startNfsServer([{ path: "/open" }, { path: "/squashed", options: ["root_squash"] }]);
  chownSync(directoryOf("/squashed"), OWNER, OWNER);
  chmodSync(directoryOf("/squashed"), 0o700);
});
afterAll(() => {
  attempt("exportfs", ["-ua"]);
});

/** An empty export; unmounted and emptied again when the laboratory closes. */
function poolOn(path: string, laboratory: Laboratory, version: string, owner: number | null): PoolDocument {
  const plain = pool("netfs", laboratory.path("images"));
  laboratory.keep({
    [Symbol.dispose]: () => {
      for (const _ of mountedAt(laboratory.path("images"))) run("umount", [laboratory.path("images")]);
      run("sh", ["-c", `rm -rf ${directoryOf(path)}/*`]);
    },
  });
  const hosts = [{ name: "127.0.0.1", port: 0 }];
  return {
    ...plain,
    source: { ...plain.source, hosts, directory: path, format: "nfs", protocolVersion: version },
    target: { ...plain.target, permissions: { mode: null, owner, group: owner, label: null } },
  };
}

describe.each([
  ["/open", "3", null],
  ["/open", "4.2", null],
  ["/squashed", "4.2", OWNER],
] as const)("%s over NFS %s", (path, version, owner) => {
  const wanted: Wanted = { capacityBytes: 1_048_576n, allocationBytes: 0n, ...(owner === null ? {} : { owner }) };
  complies("netfs", {
    driver: networkFileSystemDriver,
    pool: async (laboratory) => poolOn(path, laboratory, version, owner),
    volume: (name) => volume(name, wanted),
  });
});
