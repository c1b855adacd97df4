import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { discover, login, logout, rescanSessions, setCredentials, startInitiator } from "../guest/iscsi.js";
import { run } from "../guest/run.js";
import { startTgt, type TgtTarget, tgtLun, tgtTarget } from "../guest/tgt.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const OPEN = "iqn.2004-04.org.example.lab:open";
const CLOSED = "iqn.2004-04.org.example.lab:closed";

describe("iSCSI from tgt in a guest", () => {
  let open: TgtTarget;

  beforeAll(async () => {
    startUdev();
    await startTgt();
    open = tgtTarget(1, OPEN, [64 * MiB, 32 * MiB]);
    tgtTarget(2, CLOSED, [16 * MiB], { user: "alice", password: "secret-of-alice" });
    startInitiator();
  });

  it("offers its targets", () => {
    expect(discover()).toEqual(expect.arrayContaining([OPEN, CLOSED]));
  });

  it("shows the disks of a target by path after a login, and none after the logout", () => {
    expect(login(OPEN)).toBe(0);
    expect(disksByPath()).toEqual([`ip-127.0.0.1:3260-iscsi-${OPEN}-lun-1`, `ip-127.0.0.1:3260-iscsi-${OPEN}-lun-2`]);
    logout(OPEN);
    expect(disksByPath()).toEqual([]);
  });

  it("shows a disk that was added, after a rescan", () => {
    expect(login(OPEN)).toBe(0);
    tgtLun(open, 3, 8 * MiB);
    rescanSessions();
    expect(disksByPath()).toHaveLength(3);
    const third = `/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-${OPEN}-lun-3`;
    expect(run("blockdev", ["--getsize64", third]).trim()).toBe(String(8 * MiB));
    logout(OPEN);
  });

  it("lets in who knows the password, and nobody else", () => {
    setCredentials(CLOSED, "127.0.0.1", "alice", "wrong-for-alice");
    expect(login(CLOSED)).toBe(24);
    setCredentials(CLOSED, "127.0.0.1", "alice", "secret-of-alice");
    expect(login(CLOSED)).toBe(0);
    logout(CLOSED);
  });
});

function disksByPath(): readonly string[] {
  try {
    return readdirSync("/dev/disk/by-path")
      .filter((name) => name.includes("-iscsi-"))
      .sort();
  } catch {
    // udev removes the directory with the last name in it.
    return [];
  }
}
