import { join } from "node:path";

/** Of libvirt's daemons, which: `mode=` of a URI. */
export type DaemonMode = "auto" | "legacy" | "direct";

export interface WantedSocket {
  readonly driver: string;
  /** `/system`, `/session`. */
  readonly path: string;
  readonly readOnly: boolean;
  /** "direct": the driver's own daemon; "legacy": libvirtd, which has all drivers; "auto": any, and cisternd's before those. */
  readonly mode: DaemonMode;
  /** Not cisternd's. */
  readonly libvirtOnly: boolean;
}

/** Where daemons put their sockets, the likeliest first. A session's have no place without `XDG_RUNTIME_DIR`. */
export function socketCandidates(
  { driver, path, readOnly, mode, libvirtOnly }: WantedSocket,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  const isSession = path === "/session";
  const runtime = isSession ? environment["XDG_RUNTIME_DIR"] : "/run";
  if (runtime === undefined || runtime === "") return [];
  // There is no read-only socket in a session: the user is the owner.
  const name = readOnly && !isSession ? "sock-ro" : "sock";
  const all: readonly (readonly [isWanted: boolean, socket: string])[] = [
    [mode === "auto" && !libvirtOnly, `cistern/libvirt-${name}`],
    [mode !== "legacy", `libvirt/virt${driver}d-${name}`],
    [mode !== "direct", `libvirt/libvirt-${name}`],
  ];
  return all.filter(([isWanted]) => isWanted).map(([, socket]) => join(runtime, socket));
}
