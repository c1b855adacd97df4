import { encodeEvent, LIMITS, type Message } from "@cistern/protocol";

/** Every event's body begins with the number of the callback, or of the watch, that it is for. */
export type Numbered = { readonly callbackID: number } | { readonly watchID: number };

/** The same event for each of the callbacks, in one piece: a client may have thousands. */
export function encodeForCallbacks<Payload extends Numbered>(
  message: Message<Payload>,
  payload: Payload,
  callbackIds: readonly number[],
): Uint8Array {
  const packet = encodeEvent(message, payload);
  const packets = new Uint8Array(packet.length * callbackIds.length);
  const view = new DataView(packets.buffer);
  callbackIds.forEach((id, index) => {
    packets.set(packet, index * packet.length);
    view.setInt32(index * packet.length + LIMITS.headerBytes, id);
  });
  return packets;
}
