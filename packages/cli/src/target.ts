import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** What is said about where to connect. */
export interface TargetOptions {
  readonly connect?: string;
  readonly root?: string;
}

interface TargetSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userId: number;
}

const SYSTEM_SOCKET = "/run/cistern/libvirt-sock";

/**
 * Which daemon a command is for: `--connect URI`, else that of `--root DIR`, else `CISTERN_URI`, else a cisternd of the
 * user or of this host that has made its socket, else libvirt's default.
 */
export function targetOf({ connect, root }: TargetOptions, { environment, userId }: TargetSurroundings): string {
  if (connect !== undefined) return connect;
  if (root !== undefined) return socketBelow(root);
  const { CISTERN_URI: own, LIBVIRT_DEFAULT_URI: libvirts, XDG_RUNTIME_DIR: runtime } = environment;
  if (own !== undefined && own !== "") return own;
  const session = runtime === undefined || runtime === "" ? null : join(runtime, "cistern/libvirt-sock");
  if (userId !== 0 && session !== null && existsSync(session)) return session;
  if (existsSync(SYSTEM_SOCKET)) return SYSTEM_SOCKET;
  return libvirts !== undefined && libvirts !== "" ? libvirts : "storage:///system";
}

/** The socket of `cisternd --root DIR`. */
function socketBelow(root: string): string {
  return join(resolve(root), "run/libvirt-sock");
}
