import { randomBytes, timingSafeEqual } from "node:crypto";
import { basename, dirname } from "node:path";
import { decodeUtf8, encodeUtf8 } from "@cistern/protocol";
import { type Directory, type Host, HostError } from "../host/index.js";

const TOKEN_BYTES = 16;
const TOKEN_PATTERN = /^[0-9a-f]{32}$/;
/** More than a token, so that a file that is something else is seen to be. */
const TOKEN_FILE_BYTES = 256;

/**
 * The proof between the daemons of a host: a random text in a file that only root can read. Whoever presents it may read
 * private secrets, as virtstoraged and virtqemud do for the disks of machines. The file is made by whichever daemon needs
 * it first, with mode 0600 and 32 hexadecimal digits without a line end.
 */
export class SystemToken {
  readonly #host: Host;
  readonly #path: string;

  constructor(host: Host, path: string) {
    this.#host = host;
    this.#path = path;
  }

  /** Null when there is none, or something else lies in its place. Read anew each time: it changes with a reboot only. */
  async read(): Promise<string | null> {
    return this.#inDirectory(async (directory) => {
      const content = await directory.readFile(basename(this.#path), TOKEN_FILE_BYTES);
      const text = decodeUtf8(content).trim();
      return TOKEN_PATTERN.test(text) ? text : null;
    });
  }

  /** Makes the file when no daemon has done so yet. */
  async ensure(): Promise<void> {
    await this.#inDirectory(async (directory) => {
      try {
        const file = await directory.open(basename(this.#path), { access: "write", create: "exclusive", mode: 0o600 });
        try {
          await file.write(0n, encodeUtf8(randomBytes(TOKEN_BYTES).toString("hex")));
        } finally {
          await file.close();
        }
      } catch (error) {
        if (!(error instanceof HostError && error.code === "EEXIST")) throw error;
      }
      return null;
    });
  }

  /** Whether a caller knows the token. Takes equally long for any wrong one. */
  async matches(presented: string): Promise<boolean> {
    const token = await this.read();
    if (token === null) return false;
    const [a, b] = [encodeUtf8(token), encodeUtf8(presented)];
    return a.length === b.length && timingSafeEqual(a, b);
  }

  async #inDirectory<T>(work: (directory: Directory) => Promise<T | null>): Promise<T | null> {
    try {
      const directory = await this.#host.openDirectory(dirname(this.#path));
      try {
        return await work(directory);
      } finally {
        await directory.close();
      }
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return null;
      throw error;
    }
  }
}
