import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { startNfsServer } from "../guest/nfs.js";
import { attempt, run } from "../guest/run.js";

const MOUNT_POINT = "/mnt/nfs";

describe("NFS in a guest", () => {
  let directoryOf: (path: string) => string;

  beforeAll(() => {
    directoryOf = startNfsServer([{ path: "/open" }, { path: "/squashed", options: ["root_squash"] }]);
    mkdirSync(MOUNT_POINT, { recursive: true });
  });

  it("lists its exports", () => {
    const output = run("showmount", ["--no-headers", "--exports", "127.0.0.1"]);
    expect(output.split("\n").filter((line) => line !== "")).toHaveLength(2);
    expect(output).toMatch(/^\/open +127\.0\.0\.1$/m);
  });

  it.each(["3", "4.0", "4.1", "4.2"])("is mounted by version %s", (version) => {
    run("mount", ["-t", "nfs", "-o", `vers=${version}`, "127.0.0.1:/open", MOUNT_POINT]);
    try {
      writeFileSync(`${MOUNT_POINT}/by-${version}`, version);
      expect(readFileSync(`${directoryOf("/open")}/by-${version}`, "utf8")).toBe(version);
      expect(readFileSync("/proc/mounts", "utf8")).toMatch(new RegExp(`${MOUNT_POINT} nfs.*vers=${version}`));
    } finally {
      run("umount", [MOUNT_POINT]);
    }
  });

  it("root is nobody where the export squashes it", () => {
    run("mount", ["-t", "nfs", "-o", "vers=4.2", "127.0.0.1:/squashed", MOUNT_POINT]);
    try {
      writeFileSync(`${MOUNT_POINT}/mine`, "");
      expect(statSync(`${directoryOf("/squashed")}/mine`).uid).toBe(65534);
      expect(() => chownSync(`${MOUNT_POINT}/mine`, 0, 0)).toThrow("EPERM");
    } finally {
      run("umount", [MOUNT_POINT]);
    }
  });

  it("refuses what is not exported", () => {
    expect(attempt("mount", ["-t", "nfs", "127.0.0.1:/nothing", MOUNT_POINT]).status).toBe(32);
  });
});
