import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { startSmbServer } from "../guest/cifs.js";
import { attempt, run } from "../guest/run.js";

const MOUNT_POINT = "/mnt/cifs";

describe("CIFS in a guest", () => {
  beforeAll(async () => {
    await startSmbServer(
      [
        { name: "open", path: "/srv/open", guests: true },
        { name: "closed", path: "/srv/closed", guests: false },
      ],
      [{ user: "alice", password: "secret" }],
    );
    mkdirSync(MOUNT_POINT, { recursive: true });
  });

  it.each([
    ["open", "guest", "/srv/open"],
    ["closed", "username=alice,password=secret", "/srv/closed"],
  ])('mounts the share "%s" with %s', (share, options, directory) => {
    run("mount", ["-t", "cifs", "-o", options, `//127.0.0.1/${share}`, MOUNT_POINT]);
    try {
      writeFileSync(`${MOUNT_POINT}/greeting`, "hello");
      expect(readFileSync(`${directory}/greeting`, "utf8")).toBe("hello");
    } finally {
      run("umount", [MOUNT_POINT]);
    }
  });

  it.each(["guest", "username=alice,password=wrong"])("refuses the closed share to %s", (options) => {
    const { status, stderr } = attempt("mount", ["-t", "cifs", "-o", options, "//127.0.0.1/closed", MOUNT_POINT]);
    expect([status, stderr]).toEqual([32, expect.stringContaining("Permission denied")]);
  });
});
