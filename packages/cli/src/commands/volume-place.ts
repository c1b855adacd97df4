import type { CallOptions, Connection, Volume } from "@cistern/client";
import { UsageError } from "../exit-status.js";
import { findVolume } from "../lookup.js";
import { text } from "./parameters.js";

export const volumePlaceParameter = text("POOL/VOL, or the volume's path", {
  placeholder: "volume",
  completes: "places",
});

/** The volume of `POOL/VOL`, or of a path. Pools have no "/" in their names. */
export async function findPlacedVolume(connection: Connection, place: string, call: CallOptions): Promise<Volume> {
  if (place.startsWith("/")) return findVolume(connection, place, null, call);
  const at = place.indexOf("/");
  if (at <= 0 || at === place.length - 1) throw new UsageError(`"${place}" is not POOL/VOL, such as default/disk.img`);
  return findVolume(connection, place.slice(at + 1), place.slice(0, at), call);
}
