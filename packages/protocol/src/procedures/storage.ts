import { pools } from "./pools.js";
import { volumes } from "./volumes.js";

/** Pools and volumes: everything cistern is about. */
export const storage = { ...pools, ...volumes } as const;
