import type { WireInspection } from "@cistern/protocol";
import type { VolumeInspection } from "../volumes/volume-inspection.js";
import { sendable } from "./sendable.js";

/** An inspection as it travels. */
export function toWireInspection(inspection: VolumeInspection): WireInspection {
  // Of the same shape but for its limits, which the compiler sees here.
  const wire: WireInspection = inspection;
  return sendable(wire);
}
