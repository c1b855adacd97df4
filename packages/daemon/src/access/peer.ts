import { peerCredentialsOf, peerHungUp } from "../host/index.js";
import type { Identity } from "./caller.js";

/** Who is at the other end of a UNIX socket, by the kernel's word. HostError ENOTCONN when it is closed already. */
export function peerIdentity(socket: Parameters<typeof peerCredentialsOf>[0]): Identity {
  const peer = peerCredentialsOf(socket);
  return {
    userId: peer.uid,
    groupId: peer.gid,
    processId: peer.pid,
    onBehalfOf: null,
    elevated: false,
  };
}

/** Whether the other end is closed, which reading would say only behind all that is still to be read. */
export function hasHungUp(socket: Parameters<typeof peerHungUp>[0]): boolean {
  return peerHungUp(socket);
}
