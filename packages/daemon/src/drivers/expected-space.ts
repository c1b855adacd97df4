/**
 * What is going to be written and has not been yet, by file system: two operations that begin at one time must not both
 * count on the last gigabyte. One for the whole daemon.
 */
export class ExpectedSpace {
  readonly #bytes = new Map<string, bigint>();

  /** `fileSystem`: as `Directory.fileSystem` tells it. */
  of(fileSystem: string): bigint {
    return this.#bytes.get(fileSystem) ?? 0n;
  }

  change(fileSystem: string, byBytes: bigint): void {
    const all = this.of(fileSystem) + byBytes;
    if (all <= 0n) this.#bytes.delete(fileSystem);
    else this.#bytes.set(fileSystem, all);
  }
}
