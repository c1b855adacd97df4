import type { Attachments } from "./model.js";

/** What is known where no source is configured. */
export const NO_ATTACHMENTS: Attachments = {
  sources: () => [],
  domains: () => [],
  all: () => [],
  ofDomain: () => [],
  ofVolume: () => [],
  ofPool: () => [],
  unknowns: () => [],
  lookAgain: () => {},
  settled: async () => {},
  refreshDomain: async () => false,
};
