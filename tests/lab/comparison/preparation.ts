// What a type's scripts find in their guest: comparison/<type>/prepare.ts exports one as `preparation`.

export interface Preparation {
  /** Once in the guest's life, before the daemon starts: udev, modules, servers. */
  setUp(): void | Promise<void>;
  /** Before each script: devices or exports as new. Both sides' are made alike, and have the same names. */
  renew(): Prepared | Promise<Prepared>;
}

export interface Prepared {
  /** What the script is told of it, such as `DISK_A=/dev/loop0`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Takes away what `renew` made, and what the script has made on it. The pools are stopped and undefined by then. */
  end(): void | Promise<void>;
}
