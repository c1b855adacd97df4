/** Who asks. Every call carries its caller to `authorize`, whatever door it came through. */
export interface Caller {
  /** The door: libvirt's remote protocol, or the daemon itself (autostart, reload). The HTTP API will add its own. */
  readonly door: "rpc" | "daemon";
  /** A read-only connection may look but not change. */
  readonly readOnly: boolean;
  readonly identity: Identity;
}

export interface Identity {
  /** From the socket (SO_PEERCRED); null where the transport cannot tell. */
  readonly userId: number | null;
  readonly groupId: number | null;
  readonly processId: number | null;
  /** What a forwarding daemon (virtqemud) said about the client behind it; never trusted for more than the sender itself. */
  readonly onBehalfOf: Readonly<Record<string, string | number | bigint | boolean>> | null;
  /** Proved knowledge of this host's system token: may read private secrets, as libvirt's own daemons may. */
  readonly elevated: boolean;
}

export const DAEMON_CALLER: Caller = {
  door: "daemon",
  readOnly: false,
  identity: { userId: null, groupId: null, processId: null, onBehalfOf: null, elevated: true },
};
