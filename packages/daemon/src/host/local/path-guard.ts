import type { DirectoryIdentity } from "../host.js";

/** The call is only to be made while the path leads to this directory. */
export interface PathGuard extends DirectoryIdentity {
  readonly path: string;
}
