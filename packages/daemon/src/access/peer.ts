import { peerCredentialsOf } from "../host/index.js";
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
