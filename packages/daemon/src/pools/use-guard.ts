import type { Requester } from "../jobs/job-facts.js";
import type { Pool } from "./pool.js";
import type { Volume } from "./volume.js";

/** What takes content away from whoever uses it. */
export type Destruction = "delete" | "shrink" | "wipe" | "upload";

/**
 * Who may not lose what. Asked under the volume's lease or the pool's lock, right before the work begins; it throws libvirt's
 * "still in use" (55), and waits for nobody longer than `limits.useGuardMs`.
 */
export interface UseGuard {
  volume(pool: Pool, volume: Volume, destruction: Destruction, requester: Requester): Promise<void>;
  /**
   * Before work goes by the format that a volume's first bytes tell. Refused (55) where a guest writes to it as raw: whoever
   * writes the bytes says what they look like, and an image's header can name any file of the host.
   */
  probedFormat(pool: Pool, volume: Volume): Promise<void>;
  /** Before a pool is stopped: all that is in it. */
  pool(pool: Pool, requester: Requester): Promise<void>;
}

/** Where nobody tells which guests there are. */
export const UNGUARDED: UseGuard = { volume: async () => {}, probedFormat: async () => {}, pool: async () => {} };
