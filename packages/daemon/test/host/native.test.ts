import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { lockFile, peerCredentials, peerCredentialsOf, unlockFile } from "../../dist/host/index.js";
import { scratchDirectory } from "./support.ts";

const root = scratchDirectory();

describe("a lock file", () => {
  it("is locked by one process, which others can name", async () => {
    const path = `${root}/driver.pid`;
    // fcntl(F_SETLK), as libvirt's daemons lock theirs.
    const script = `
import fcntl, os, sys, time
f = open(sys.argv[1], "w")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
print("locked", flush=True)
sys.stdin.read()`;
    const holder = spawn("python3", ["-c", script, path], { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    const fd = openSync(path, "r+");
    expect(lockFile(fd)).toEqual({ heldBy: holder.pid });
    const exited = new Promise((resolve) => holder.once("exit", resolve));
    holder.stdin.end();
    await exited;
    expect(lockFile(fd)).toBe("locked");
    expect(await tryToLock(path)).toBe(1);
    unlockFile(fd);
    expect(await tryToLock(path)).toBe(0);
    closeSync(fd);
  });

  it("that is no open file cannot be locked", () => {
    expect(() => lockFile(9_999)).toThrow(expect.objectContaining({ code: "EBADF" }));
  });
});

function tryToLock(path: string): Promise<number | null> {
  const script = "import fcntl, sys\nfcntl.lockf(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)";
  const child = spawn("python3", ["-c", script, path], { stdio: "ignore" });
  return new Promise((resolve) => child.once("exit", resolve));
}

describe("the caller of a socket", () => {
  it("is known by process, user and group", async () => {
    const path = `${root}/socket`;
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const child = spawn(
      "python3",
      [
        "-c",
        `import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(${JSON.stringify(path)})\nsys.stdin.read()`,
      ],
      {
        stdio: ["pipe", "ignore", "inherit"],
      },
    );
    await new Promise((resolve) => server.once("connection", resolve));
    const [socket] = accepted;
    if (socket === undefined) throw new Error("nobody connected");
    expect(peerCredentialsOf(socket)).toEqual({ pid: child.pid, uid: process.getuid?.(), gid: process.getgid?.() });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    child.stdin.end();
    await closed;
    expect(() => peerCredentialsOf(socket)).toThrow(expect.objectContaining({ code: "ENOTCONN" }));
    await new Promise((resolve) => server.close(resolve));
  });

  it("cannot be told of what is no socket", () => {
    expect(() => peerCredentials(9_999)).toThrow(expect.objectContaining({ code: "EBADF" }));
    expect(() =>
      peerCredentialsOf(
        connect({ path: "/", autoSelectFamily: false })
          .on("error", () => undefined)
          .destroy(),
      ),
    ).toThrow(expect.objectContaining({ code: "ENOTCONN" }));
  });
});
