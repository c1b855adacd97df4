import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectSsh, remoteCommand, type SshTarget, sshArguments } from "../dist/transports/ssh.js";

/*
 * What is sent to the other side, and what is done with its answers. Here a script stands for ssh, which runs the command on this
 * host: by a real sshd it is run in tests/command-line.
 */

const target: SshTarget = {
  host: "there",
  port: null,
  user: null,
  keyFile: null,
  verifiesHost: true,
  mayAsk: false,
  program: "ssh",
  netcat: null,
  sockets: ["/run/s"],
  helper: null,
};

let root: string;
const servers: Server[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cistern-ssh-"));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(root, { recursive: true, force: true });
});

/** A program in the place of ssh; `$remote` is the command for the other side. */
function ssh(script: string): string {
  const path = join(root, "ssh");
  writeFileSync(path, `#!/bin/sh\nfor remote; do :; done\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Answers each byte with the next one. */
async function counting(path: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on("data", (bytes) => socket.write(bytes.map((byte) => byte + 1)));
    socket.on("error", () => {});
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return path;
}

async function answerTo(wanted: SshTarget): Promise<string> {
  const stream = await connectSsh(wanted);
  stream.write("HAL");
  const answer = await new Promise<string>((resolve) => {
    stream.once("data", (bytes: Buffer) => resolve(bytes.toString()));
  });
  stream.destroy();
  return answer;
}

describe("arguments", () => {
  it.each([
    [{}, ["-o", "BatchMode=yes"]],
    [{ mayAsk: true }, []],
    [{ mayAsk: true, port: 2222, user: "root", keyFile: "/k" }, ["-p", "2222", "-l", "root", "-i", "/k"]],
    [{ mayAsk: true, verifiesHost: false }, ["-o", "StrictHostKeyChecking=no"]],
  ])("%j", (more, args) => {
    const whole = { ...target, ...more };
    expect(sshArguments(whole)).toEqual(["-T", "-e", "none", ...args, "--", "there", remoteCommand(whole)]);
  });

  it("a host is never taken for an option", () => {
    const args = sshArguments({ ...target, host: "-oProxyCommand=touch /tmp/x" });
    expect(args[args.indexOf("--") + 1]).toBe("-oProxyCommand=touch /tmp/x");
  });
});

describe("the other side", () => {
  it("connects to the first socket that exists, whatever its name, and whatever was said before", async () => {
    const sockets = [join(root, "none"), await counting(join(root, `it's "a" $socket`))];
    const program = ssh('echo "Welcome to there"; eval "$remote"');
    expect(await answerTo({ ...target, program, sockets })).toBe("IBM");
  });

  it("looks for a session's socket in its own runtime directory", async () => {
    mkdirSync(join(root, "run"));
    await counting(join(root, "run/s"));
    const program = ssh(`XDG_RUNTIME_DIR='${root}/run'; export XDG_RUNTIME_DIR; eval "$remote"`);
    expect(await answerTo({ ...target, program, sockets: ["$XDG_RUNTIME_DIR/s"] })).toBe("IBM");
  });

  it("uses the program that was named", async () => {
    const netcat = join(root, "my nc");
    writeFileSync(netcat, `#!/bin/sh\n[ "$1" = -U ] && exec nc -U "$2"\n`);
    chmodSync(netcat, 0o755);
    const program = ssh('eval "$remote"');
    expect(await answerTo({ ...target, program, netcat, sockets: [await counting(join(root, "s"))] })).toBe("IBM");
  });

  describe("has libvirt's own program", () => {
    const helper = { uri: "qemu:///system", readOnly: true };

    /** Programs of the other side, and what it has of this one. */
    async function there(netcat: boolean, native: boolean): Promise<string> {
      const directory = join(root, "bin");
      const socket = await counting(join(root, "behind"));
      mkdirSync(directory);
      const program = (name: string, script: string) =>
        writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      if (native) program("virt-ssh-helper", `[ "$*" = '-r ${helper.uri}' ] && exec /usr/bin/nc -U '${socket}'`);
      if (netcat) program("nc", 'exec /usr/bin/nc "$@"');
      return ssh(`PATH='${directory}' eval "$(echo "$remote" | /usr/bin/sed "s|^sh |/bin/sh |")"`);
    }

    it.each([
      ["alone: it is used", false, true, ["/run/nowhere"], "IBM"],
      ["where it alone is wanted", true, true, [], "IBM"],
      ["and no socket is there yet: it may start a daemon", true, true, ["/run/nowhere"], "IBM"],
    ])("%s", async (_, netcat, native, sockets, answer) => {
      expect(await answerTo({ ...target, program: await there(netcat, native), sockets, helper })).toBe(answer);
    });

    it("and no netcat for the socket that is there", async () => {
      const sockets = [await counting(join(root, "s"))];
      expect(await answerTo({ ...target, program: await there(false, true), sockets, helper })).toBe("IBM");
    });

    it.each([
      ["but the socket is cisternd's, where it does not lead to", true, "cistern", "neither nc nor socat is installed"],
      [
        "not: it is said what is missing",
        false,
        "libvirt",
        "neither nc nor socat is installed there, nor virt-ssh-hel",
      ],
    ])("%s", async (_, native, owner, reason) => {
      mkdirSync(join(root, owner));
      const sockets = [await counting(join(root, owner, "s"))];
      const call = answerTo({ ...target, program: await there(false, native), sockets, helper });
      await expect(call).rejects.toMatchObject({ code: 38, message: expect.stringContaining(reason) });
    });

    it("not, and it alone is wanted", async () => {
      const call = answerTo({ ...target, program: await there(true, false), sockets: [], helper });
      await expect(call).rejects.toMatchObject({
        message: expect.stringContaining("virt-ssh-helper is not installed there (it ended with status 127)"),
      });
    });
  });

  it.each([
    [
      "has no such socket",
      'eval "$remote"',
      "no daemon has made its socket there: /run/nowhere (it ended with status 1)",
    ],
    [
      "refuses the key",
      'echo "Permission denied (publickey)." >&2; exit 255',
      "Permission denied (publickey). (it ended with status 255)",
    ],
    ["ends without a word", "exit 0", "it ended with status 0"],
    ["is killed", "kill -KILL $$", "it was ended by SIGKILL"],
  ])("%s", async (_, script, reason) => {
    const call = connectSsh({ ...target, program: ssh(script), sockets: ["/run/nowhere"] });
    await expect(call).rejects.toMatchObject({
      code: 38,
      int1: 104,
      message: `Cannot recv data from 'there' by '${join(root, "ssh")}': ${reason}: Connection reset by peer`,
    });
  });

  it("says nothing: it is given up", async () => {
    const call = connectSsh({ ...target, program: ssh("exec sleep 60") }, { timeoutMs: 300 });
    await expect(call).rejects.toMatchObject({ message: expect.stringContaining("no answer within 0.3 s") });
  });

  it("says nothing, and whoever connects has enough of it: ssh is ended", async () => {
    const program = ssh(`echo $$ > '${join(root, "pid")}'; exec sleep 60`);
    const controller = new AbortController();
    const call = expect(connectSsh({ ...target, program }, { signal: controller.signal })).rejects;
    const started = async (): Promise<number> => Number(await readFile(join(root, "pid"), "utf8"));
    await expect.poll(() => started().catch(() => 0), { timeout: 10_000 }).toBeGreaterThan(0);
    const pid = await started();
    controller.abort();
    await call.toMatchObject({ code: 78 });
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
  });

  it("cannot be asked, because there is no ssh", async () => {
    const call = connectSsh({ ...target, program: join(root, "missing") });
    await expect(call).rejects.toMatchObject({ message: expect.stringContaining("ENOENT") });
  });

  it("takes no more: the stream says what ssh said", async () => {
    const heard = join(root, "heard");
    // It lives on until the write has failed.
    const wait = `while [ ! -e '${heard}' ]; do sleep 0.05; done`;
    const program = ssh(`exec 0<&-; echo "cistern: connected"; ${wait}; echo "No more of this." >&2; exit 255`);
    const stream = await connectSsh({ ...target, program });
    const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
    stream.resume();
    await new Promise<void>((resolve) => stream.write("into nowhere", () => resolve()));
    writeFileSync(heard, "");
    expect((await failed).message).toContain("No more of this. (it ended with status 255)");
  });

  it("breaks off: the stream says what ssh said", async () => {
    const program = ssh('echo "cistern: connected"; sleep 0.2; echo "Connection to there closed." >&2; exit 255');
    const stream = await connectSsh({ ...target, program });
    const failure = await new Promise<Error>((resolve) => {
      stream.once("error", resolve);
      stream.resume();
    });
    expect(failure.message).toContain("Connection to there closed. (it ended with status 255)");
  });
});
