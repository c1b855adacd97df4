import type { Preparation } from "../preparation.js";

/** Directories need nothing but the file system that every script has. */
export const preparation: Preparation = {
  setUp() {},
  renew: () => ({ environment: {}, end() {} }),
};
