/** What is configured as a source and can be none: the daemon does not start. */
export class UnusableSource extends Error {
  override readonly name = "UnusableSource";

  constructor(source: string, why: string) {
    super(`'${source}' cannot be a source of guests: ${why}.`);
  }
}
