import { existsSync } from "node:fs";
import { type CallOptions, type Connection, connect, type Pool } from "@cistern/client";
import { ErrorCode, encodeUtf8, LibvirtError } from "@cistern/protocol";
import { formatJson } from "./output/json.js";

/** The world as a command sees it; tests give their own. */
export interface Surroundings {
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stdin: NodeJS.ReadableStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userId: number;
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
  connect(target: string, options: { readonly readOnly: boolean; readonly timeoutMs?: number }): Promise<Connection>;
}

export interface GlobalOptions {
  readonly connect?: string;
  readonly json?: boolean;
  readonly timeout?: number;
  readonly quiet?: boolean;
}

export function realSurroundings(signal: AbortSignal): Surroundings {
  const { stdout, stderr, stdin, env } = process;
  return { stdout, stderr, stdin, environment: env, userId: process.getuid?.() ?? 0, signal, connect };
}

/** What every command is handed: where to connect, and how to say what was found. */
export class Context {
  readonly surroundings: Surroundings;
  readonly options: GlobalOptions;

  constructor(surroundings: Surroundings, options: GlobalOptions) {
    this.surroundings = surroundings;
    this.options = options;
  }

  /** Connects, does `work`, and closes whatever happened. `readOnly` needs fewer rights. */
  async withConnection<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const connection = await this.surroundings.connect(this.#target(), { readOnly: false, ...this.#timeout() });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }

  /** For calls: they end with the user's patience. */
  get call(): CallOptions {
    return { signal: this.surroundings.signal, ...this.#timeout() };
  }

  print(text: string): void {
    this.surroundings.stdout.write(text);
  }

  /** A document, with the bytes of its names as they are. */
  printDocument(xml: string): void {
    this.surroundings.stdout.write(encodeUtf8(xml.endsWith("\n") ? xml : `${xml}\n`));
  }

  /** `data` where JSON is wanted, else `text()`. */
  printResult(data: unknown, text: () => string): void {
    this.print(this.options.json === true ? `${formatJson(data)}\n` : text());
  }

  /** That something was done; JSON gets `data` instead, and `--quiet` nothing. */
  printDone(text: string, data: unknown): void {
    if (this.options.json === true) this.print(`${formatJson(data)}\n`);
    else if (this.options.quiet !== true) this.print(`${text}\n`);
  }

  /** --connect, else CISTERN_URI, else LIBVIRT_DEFAULT_URI, else the user's own daemon or the system's. */
  #target(): string {
    const { environment, userId } = this.surroundings;
    const said = this.options.connect ?? (environment["CISTERN_URI"] || environment["LIBVIRT_DEFAULT_URI"]);
    if (said !== undefined && said !== "") return said;
    const session = `${environment["XDG_RUNTIME_DIR"] ?? ""}/cistern/libvirt-sock`;
    return userId !== 0 && existsSync(session) ? "storage:///session" : "storage:///system";
  }

  #timeout(): { timeoutMs?: number } {
    return this.options.timeout === undefined ? {} : { timeoutMs: this.options.timeout * 1000 };
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The pool of that name, or of that UUID where no pool has it as its name. */
export async function findPool(connection: Connection, nameOrUuid: string, options: CallOptions): Promise<Pool> {
  try {
    return await connection.lookupPool(nameOrUuid, options);
  } catch (error) {
    const unknown = error instanceof LibvirtError && error.code === ErrorCode.NO_STORAGE_POOL;
    if (!unknown || !UUID.test(nameOrUuid)) throw error;
    return connection.lookupPoolByUuid(nameOrUuid.toLowerCase(), options);
  }
}
