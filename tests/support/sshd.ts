import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { missing } from "./requirements.js";

const START_MS = 10_000;

export function sshdUnavailable(): string | undefined {
  const programs = ["ssh", "ssh-keygen", "sshd", "nc"];
  return missing({ root: true, programs, paths: ["/usr/sbin/sshd"] }) ?? undefined;
}

type Run = (program: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

/** A server of ssh on the loopback that takes one key, for whoever runs the test. */
export class Sshd implements AsyncDisposable {
  readonly port: number;
  readonly keyFile: string;
  readonly user = userInfo().username;
  readonly #process: ChildProcess;

  private constructor(port: number, keyFile: string, process: ChildProcess) {
    this.port = port;
    this.keyFile = keyFile;
    this.#process = process;
  }

  /** `root`: an existing directory for keys and configuration; `run`: where it shall live. */
  static async start(root: string, run: Run = spawn): Promise<Sshd> {
    const keyFile = join(root, "key");
    for (const path of [keyFile, join(root, "host-key")]) {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    }
    writeFileSync(join(root, "authorized"), readFileSync(`${keyFile}.pub`), { mode: 0o600 });
    // Where its processes without rights live.
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const port = await freePort();
    const configuration = join(root, "sshd_config");
    writeFileSync(
      configuration,
      [
        ...["ListenAddress 127.0.0.1", `Port ${port}`, `HostKey ${join(root, "host-key")}`, "PidFile none"],
        ...[`AuthorizedKeysFile ${join(root, "authorized")}`, "StrictModes no", "UsePAM no", "PermitRootLogin yes"],
        ...["PasswordAuthentication no", "KbdInteractiveAuthentication no", "AcceptEnv none", ""],
      ].join("\n"),
    );
    const child = run("/usr/sbin/sshd", ["-D", "-e", "-f", configuration], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    const deadline = Date.now() + START_MS;
    while (!(await answers(port))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill();
        throw new Error(`sshd does not listen: ${said}`);
      }
      await sleep(20);
    }
    return new Sshd(port, keyFile, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill();
    await exit;
  }
}

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
