import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { unlinkSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireLock, ConfigurationError, clearSocketFile, InUseError } from "../../dist/config/index.js";
import { lockFile } from "../../dist/host/native.js";

let directory = "";
let lockPath = "";
const holders: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cistern-lock-"));
  lockPath = join(directory, "driver.pid");
});
afterEach(async () => {
  for (const holder of holders.splice(0)) {
    if (holder.exitCode !== null || holder.signalCode !== null) continue;
    holder.kill();
    await once(holder, "exit");
  }
  await rm(directory, { recursive: true, force: true });
});

/** Another process with libvirt's lock; `name` is what /proc/PID/comm says. */
async function holdElsewhere(name: string): Promise<ChildProcess> {
  const program = `
import fcntl, sys
open("/proc/self/comm", "w").write(sys.argv[2])
f = open(sys.argv[1], "w")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
f.write("1\\n"); f.flush()
print("held", flush=True)
sys.stdin.read()`;
  const holder = spawn("/usr/bin/python3", ["-c", program, lockPath, name], { stdio: ["pipe", "pipe", "inherit"] });
  holders.push(holder);
  await once(holder.stdout ?? holder, "data");
  return holder;
}

const acquire = (mode: "drop-in" | "system" = "drop-in") => acquireLock(lockPath, "storage", mode, lockFile);

describe("the lock", () => {
  it("is taken, says who holds it, and goes with its file", async () => {
    const lock = await acquire();
    expect(await readFile(lockPath, "utf8")).toBe(`${process.pid}\n`);
    expect((await stat(lockPath)).mode & 0o777).toBe(0o644);
    await lock.release();
    await expect(stat(lockPath)).rejects.toThrow("ENOENT");
  });

  it("is one that libvirt's daemons see", async () => {
    const lock = await acquire();
    const program = `
import fcntl, sys
try: fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0); print("free")
except OSError: print("held")`;
    const ask = async () => {
      const child = spawn("/usr/bin/python3", ["-c", program, lockPath], { stdio: ["ignore", "pipe", "inherit"] });
      const [answer] = await once(child.stdout, "data");
      return String(answer).trim();
    };
    expect(await ask()).toBe("held");
    await lock.release();
    await writeFile(lockPath, "");
    expect(await ask()).toBe("free");
  });

  it("of a daemon that was killed is taken over with what it left in the file", async () => {
    const holder = await holdElsewhere("virtstoraged");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await writeFile(lockPath, "1234567\n and more");
    const lock = await acquire();
    expect(await readFile(lockPath, "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
  });

  it.each([
    [
      "virtstoraged",
      "systemctl stop virtstoraged.service virtstoraged.socket virtstoraged-ro.socket virtstoraged-admin.socket",
    ],
    ["libvirtd", "systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"],
  ])("held by %s is refused with its name and the command that frees it", async (name, command) => {
    const holder = await holdElsewhere(name);
    const failure = await acquire().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InUseError);
    const { message } = failure as InUseError;
    expect(message).toContain(`The storage here is managed by ${name} (process ${holder.pid}: /usr/bin/python3 -c`);
    expect(message).toContain(`already, which holds '${lockPath}'.\nThis frees it:\n  ${command}`);
    expect(await readFile(lockPath, "utf8")).toBe("1\n");
  });

  it("held by anything else is refused with the process to end", async () => {
    const holder = await holdElsewhere("my-storage");
    await expect(acquire("system")).rejects.toThrow(`This frees it:\n  kill ${holder.pid}`);
  });

  it("is taken on the new file when its holder removes the old one meanwhile", async () => {
    await writeFile(lockPath, "");
    let first = true;
    const lock = await acquireLock(lockPath, "storage", "system", (descriptor) => {
      if (first) {
        first = false;
        // What a daemon that ends does between our open and our lock.
        unlinkSync(lockPath);
      }
      return lockFile(descriptor);
    });
    expect(await readFile(lockPath, "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
  });

  it("is not taken through a symbolic link somebody put there", async () => {
    await writeFile(join(directory, "precious"), "data");
    await symlink(join(directory, "precious"), lockPath);
    await expect(acquire()).rejects.toThrow(ConfigurationError);
    expect(await readFile(join(directory, "precious"), "utf8")).toBe("data");
    await unlink(lockPath);
  });
});

describe("a socket's file", () => {
  it("that a killed daemon left is removed", async () => {
    const path = join(directory, "libvirt-sock");
    const program =
      "import socket, sys, os\ns = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(0)";
    const child = spawn("/usr/bin/python3", ["-c", program, path], { stdio: "inherit" });
    await once(child, "exit");
    expect((await stat(path)).isSocket()).toBe(true);
    await clearSocketFile(path);
    await expect(stat(path)).rejects.toThrow("ENOENT");
    await clearSocketFile(path);
  });

  it("behind which somebody listens is left alone, and nobody is connected to", async () => {
    const path = join(directory, "virtstoraged-sock");
    let connections = 0;
    const server = createServer(() => connections++).listen(path);
    await once(server, "listening");
    try {
      await expect(clearSocketFile(path)).rejects.toThrow(InUseError);
      await expect(clearSocketFile(path)).rejects.toThrow(
        `Another process listens on '${path}' already.\nThis frees it:\n  systemctl stop virtstoraged.socket`,
      );
      expect((await stat(path)).isSocket()).toBe(true);
      expect(connections).toBe(0);
    } finally {
      server.close();
    }
  });
});
