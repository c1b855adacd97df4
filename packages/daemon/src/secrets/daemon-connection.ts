import { constants } from "node:os";
import {
  decodeReply,
  ErrorCode,
  ErrorDomain,
  encodeCall,
  encodeKeepalive,
  type Frame,
  FrameDecoder,
  Keepalive,
  keepaliveKind,
  LibvirtError,
  MessageType,
  PROGRAM,
  type Procedure,
  procedures,
  type TypedParameter,
} from "@cistern/protocol";
import { connectLocalSocket, HostError } from "../host/index.js";

type LocalSocket = Awaited<ReturnType<typeof connectLocalSocket>>;

export interface DaemonConnectionOptions {
  readonly socketPath: string;
  /** What is opened there: "secret:///system". */
  readonly uri: string;
  /** How long connecting, and each call, may take. */
  readonly timeoutMs: number;
  /** Who speaks, for a daemon that decides by it; null: whoever the socket says. */
  readonly identity: readonly TypedParameter[] | null;
  /** Events, in the order they came. */
  readonly onEvent: (frame: Frame) => void;
}

interface Waiting {
  readonly settle: (frame: Frame) => void;
  readonly fail: (error: LibvirtError) => void;
}

/**
 * A connection to another of libvirt's daemons on this host: calls and their replies, in any order, and events. Small,
 * because that daemon is trusted and near; a client of the wide world is @cistern/client.
 */
export class DaemonConnection {
  readonly #socket: LocalSocket;
  readonly #options: DaemonConnectionOptions;
  readonly #frames = new FrameDecoder();
  readonly #waiting = new Map<number, Waiting>();
  #nextSerial = 0;
  #isClosed = false;
  #tellClosed: () => void = () => {};
  /** Resolves when the connection ended, by whichever side. */
  readonly closed: Promise<void>;

  private constructor(socket: LocalSocket, options: DaemonConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#end());
  }

  /** @throws LibvirtError 38/7 as libvirt's clients have it when the daemon cannot be reached */
  static async open(options: DaemonConnectionOptions): Promise<DaemonConnection> {
    const connection = new DaemonConnection(await connect(options), options);
    try {
      await connection.#introduce();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws LibvirtError the daemon's own, or 38/7 when the connection ends or nothing comes back in time */
  call<Args, Result>(procedure: Procedure<Args, Result>, args: Args): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(connectionLost());
        return;
      }
      const serial = this.#nextSerial++;
      const packet = encodeCall(procedure, serial, args);
      const deadline = setTimeout(() => this.#hang(procedure.api), this.#options.timeoutMs);
      const settled = (): void => {
        clearTimeout(deadline);
        this.#waiting.delete(serial);
      };
      this.#waiting.set(serial, {
        settle: (frame) => {
          settled();
          try {
            resolve(decodeReply(procedure, frame));
          } catch (error) {
            reject(LibvirtError.from(error));
          }
        },
        fail: (error) => {
          settled();
          reject(error);
        },
      });
      this.#socket.write(packet);
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#end();
  }

  /** What every libvirt client says first, as far as it matters here. */
  async #introduce(): Promise<void> {
    const { types } = await this.call(procedures.authList, undefined);
    if (types.some((type) => type !== 0)) {
      throw LibvirtError.of(
        ErrorCode.AUTH_FAILED,
        ErrorDomain.RPC,
        `the daemon behind '${this.#options.socketPath}' asks for a login`,
      );
    }
    await this.call(procedures.connectOpen, { name: this.#options.uri, flags: 0 });
    const { identity } = this.#options;
    if (identity !== null) await this.call(procedures.connectSetIdentity, { params: [...identity], flags: 0 });
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#take(frame);
    } catch {
      this.close(); // what comes next cannot be told from rubbish
    }
  }

  #take(frame: Frame): void {
    if (keepaliveKind(frame) === Keepalive.PING) this.#socket.write(encodeKeepalive(Keepalive.PONG));
    else if (frame.program !== PROGRAM.REMOTE) return;
    else if (frame.type === MessageType.REPLY) this.#waiting.get(frame.serial)?.settle(frame);
    else if (frame.type === MessageType.MESSAGE) this.#options.onEvent(frame);
  }

  /** A daemon that does not answer one call is not asked further ones: the next call makes a new connection. */
  #hang(api: string): void {
    this.#fail(
      LibvirtError.system(
        ErrorDomain.RPC,
        constants.errno.ETIMEDOUT,
        `'${this.#options.socketPath}' does not answer ${api}`,
      ),
    );
    this.close();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#fail(connectionLost());
    this.#tellClosed();
  }

  #fail(error: LibvirtError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.fail(error);
  }
}

async function connect({ socketPath: path, timeoutMs }: DaemonConnectionOptions): Promise<LocalSocket> {
  try {
    return await connectLocalSocket(path, timeoutMs);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw LibvirtError.system(ErrorDomain.RPC, error.errno, `Failed to connect socket to '${path}'`, { cause: error });
  }
}

function connectionLost(): LibvirtError {
  return LibvirtError.system(ErrorDomain.RPC, constants.errno.EIO, "End of file while reading data");
}
