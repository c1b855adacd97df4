// What every lane offers: a throw-away kernel on this machine's own root, which runs one command and is gone.

/** What a guest is to do. */
export interface GuestOptions {
  /** Program and arguments, run as root. */
  readonly command: readonly string[];
  /** Working directory; without it the project's. */
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** From boot to power-off. */
  readonly timeLimitMs: number;
  readonly memoryMb?: number;
  /**
   * Files of this machine that the guest sees as whole disks, in this order, under the names of `Lane.diskName`. They
   * outlive the guest, so the next one sees what this one had flushed.
   */
  readonly disks?: readonly string[];
  /** Directories of this machine that are laid over its root, the first on top: programs that it does not have. */
  readonly layers?: readonly string[];
  /** The command's output, byte for byte, as it comes. */
  readonly onStdout?: (bytes: Buffer) => void;
  readonly onStderr?: (bytes: Buffer) => void;
  /** A directory of this machine, to which what the command leaves in /run/lab/job/results is copied, however it ends. */
  readonly results?: string;
}

export interface Guest {
  /**
   * How it ended: the command's exit status, or null after `kill`.
   *
   * @throws GuestError (as rejection) when the time limit passed or the guest ended without a status
   */
  readonly ended: Promise<{ readonly status: number | null }>;
  /** Ends the guest as a power cut would: what it had not flushed to its disks is lost. Waits until it is gone. */
  kill(): Promise<void>;
}

export interface Lane {
  readonly name: "uml" | "qemu";
  /** Why no guest can be booted here, or undefined when one can. */
  unavailable(): string | undefined;
  /** The guest's name for the disk that is `index`th in `GuestOptions.disks`. */
  diskName(index: number): string;
  boot(options: GuestOptions): Promise<Guest>;
}

export class GuestError extends Error {
  override readonly name = "GuestError";
  readonly code: "time-limit" | "died" | "not-started";

  constructor(code: GuestError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
