import { LIMITS, sendableText, type WireInspection } from "@cistern/protocol";
import type { VolumeInspection } from "../volumes/volume-inspection.js";

/** An inspection as it travels: guests wrote much of it, so texts and lists are cut to what can be sent. */
export function toWireInspection(inspection: VolumeInspection): WireInspection {
  // Of the same shape but for its limits, which the compiler sees here.
  const wire: WireInspection = inspection;
  return cutAny(wire) as WireInspection;
}

function cutAny(value: unknown): unknown {
  if (typeof value === "string") return sendableText(value, LIMITS.inspectionTextBytes);
  if (Array.isArray(value)) return value.slice(0, LIMITS.inspectionItems).map(cutAny);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, cutAny(field)]));
}
