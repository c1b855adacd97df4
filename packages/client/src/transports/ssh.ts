import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Duplex, type Readable, type Writable } from "node:stream";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { givenUp, watchSignal } from "../giving-up.js";
import { LIMITS } from "../limits.js";
import type { Patience } from "./connected.js";

/** A daemon's socket on another host. */
export interface SshTarget {
  readonly host: string;
  readonly port: number | null;
  readonly user: string | null;
  /** Private key; null: what ssh's own configuration says. */
  readonly keyFile: string | null;
  /** Whether an unknown host's key is a reason to stop: then ssh asks, where it can. */
  readonly verifiesHost: boolean;
  /** Whether ssh may ask for passwords. */
  readonly mayAsk: boolean;
  /** The program that is run here. */
  readonly program: string;
  /** The program there that takes `-U SOCKET`; null: nc or socat, whichever is there. */
  readonly netcat: string | null;
  /** The first of them that exists; `$XDG_RUNTIME_DIR` stands for the other side's. */
  readonly sockets: readonly string[];
  /** What libvirt's own program there is called with, where no socket can be reached; null: it is not. */
  readonly helper: { readonly uri: string; readonly readOnly: boolean } | null;
}

/** What the other side says when it has found a socket; from then on the bytes are the daemon's. */
const READY = "cistern: connected\n";

/** Arguments of ssh. */
export function sshArguments(target: SshTarget): readonly string[] {
  const { host, port, user, keyFile, verifiesHost, mayAsk } = target;
  return [
    ...["-T", "-e", "none"],
    ...(port === null ? [] : ["-p", String(port)]),
    ...(user === null ? [] : ["-l", user]),
    ...(keyFile === null ? [] : ["-i", keyFile]),
    ...(verifiesHost ? [] : ["-o", "StrictHostKeyChecking=no"]),
    ...(mayAsk ? [] : ["-o", "BatchMode=yes"]),
    ...["--", host, remoteCommand(target)],
  ];
}

/** Finds libvirt's daemons by a URI, starts a session's, and passes bytes on. */
const HELPER = "virt-ssh-helper";
const NO_NETCAT = "neither nc nor socat is installed there";

/** For whatever shell the other side's user has: it only starts sh. */
export function remoteCommand({ netcat, sockets, helper }: SshTarget): string {
  const run = (program: string) => `{ echo ${quoted(READY.trimEnd())}; exec ${program}; }`;
  const ways =
    netcat === null
      ? [
          `if command -v nc >/dev/null; then ${run('nc -U "$socket"')}; fi`,
          `if command -v socat >/dev/null; then ${run('socat - "UNIX-CONNECT:$socket"')}; fi`,
          // libvirt's own program would lead to another daemon.
          `${helper === null ? "" : 'case "$socket" in */cistern/*) ;; *) break; esac; '}${failing(NO_NETCAT, 127)}`,
        ]
      : [run(`${quoted(netcat)} -U "$socket"`)];
  const lines = [
    `XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"`,
    // What nc and socat are missing for stays known behind the loop.
    "socket=",
    ...(sockets.length === 0
      ? []
      : [
          `for socket in ${sockets.map(path).join(" ")}; do`,
          '[ -S "$socket" ] || { socket=; continue; }',
          ...ways,
          "done",
        ]),
    ...(helper === null
      ? []
      : [
          `if command -v ${HELPER} >/dev/null; then ${run(`${HELPER} ${helper.readOnly ? "-r " : ""}${quoted(helper.uri)}`)}; fi`,
          `[ -z "$socket" ] || { ${failing(`${NO_NETCAT}, nor ${HELPER}`, 127)}; }`,
        ]),
    sockets.length === 0
      ? failing(`${HELPER} is not installed there`, 127)
      : failing(`no daemon has made its socket there: ${sockets.join(", ")}`, 1),
  ];
  return `sh -c ${quoted(lines.join("\n"))}`;
}

/**
 * Starts ssh, and waits until the other side has found the socket. 38 ECONNRESET, as libvirt has it, with what ssh said when it has not,
 * or not in time; where a person may be asked, that is as long as a person may take.
 */
export async function connectSsh(
  target: SshTarget,
  patience: Omit<Patience, "timeoutMs"> & { readonly timeoutMs?: number | undefined } = {},
): Promise<Duplex> {
  const timeoutMs = patience.timeoutMs ?? (target.mayAsk ? LIMITS.polkitTimeoutMs : LIMITS.sshTimeoutMs);
  const child = spawn(target.program, sshArguments(target), { stdio: ["pipe", "pipe", "pipe"] });
  return new SshStream(child, target).ready({ ...patience, timeoutMs });
}

class SshStream extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #target: SshTarget;
  #said = "";
  /** Before the other side is ready: what it has written. */
  #beginning: Buffer | null = Buffer.alloc(0);
  #settle: (failure: Error | null) => void = () => {};

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, target: SshTarget) {
    super();
    this.#child = child;
    this.#target = target;
    child.stdout.on("data", (bytes: Buffer) => this.#take(bytes));
    child.stderr.on("data", (bytes: Buffer) => {
      this.#said = (this.#said + bytes.toString()).slice(-LIMITS.sshMessageCharacters);
    });
    // That ssh has gone is said by its end.
    child.stdin.on("error", () => {});
    child.on("error", (error) => this.#end(error.message));
    child.on("close", (status, signal) => {
      if (status === 0 && this.#beginning === null) this.push(null);
      else this.#end(signal === null ? `it ended with status ${status}` : `it was ended by ${signal}`);
    });
  }

  ready({ timeoutMs, signal }: Patience): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const stopWatching = watchSignal(signal, () => this.#giveUp(givenUp("Connecting")));
      const timer = setTimeout(() => this.#end(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
      this.#settle = (failure) => {
        clearTimeout(timer);
        stopWatching();
        this.#settle = () => {};
        if (failure === null) resolve(this);
        else reject(failure);
      };
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Why it cannot be written is said by ssh's end, not by the pipe.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }

  #take(bytes: Buffer): void {
    if (this.#beginning === null) {
      if (!this.push(bytes)) this.#child.stdout.pause();
      return;
    }
    // A login script may greet: what comes before our own line is not the daemon's.
    const sofar = Buffer.concat([this.#beginning, bytes]);
    const at = sofar.indexOf(READY);
    if (at === -1) {
      this.#beginning = sofar.subarray(-LIMITS.sshMessageCharacters);
      return;
    }
    this.#beginning = null;
    this.#settle(null);
    const rest = sofar.subarray(at + READY.length);
    if (rest.length > 0) this.push(rest);
  }

  #end(reason: string): void {
    const { program, host } = this.#target;
    const said = this.#said.trim();
    const text = `Cannot recv data from '${host}' by '${program}': ${said === "" ? reason : `${said} (${reason})`}`;
    const failure = LibvirtError.system(ErrorDomain.REMOTE, ECONNRESET, text);
    if (this.#beginning === null) {
      this.destroy(failure);
      return;
    }
    this.#giveUp(failure);
  }

  /** Before the other side is ready. */
  #giveUp(failure: LibvirtError): void {
    this.#settle(failure);
    this.destroy();
  }
}

const ECONNRESET = 104;

function failing(reason: string, status: number): string {
  return `echo ${quoted(reason)} >&2; exit ${status}`;
}

/** A word of the shell that is just this text. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const RUNTIME = "$XDG_RUNTIME_DIR/";

function path(socket: string): string {
  return socket.startsWith(RUNTIME) ? `"$XDG_RUNTIME_DIR"/${quoted(socket.slice(RUNTIME.length))}` : quoted(socket);
}
