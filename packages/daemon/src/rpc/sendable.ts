import { LIMITS, sendableText } from "@cistern/protocol";

/** A value whose texts and lists are cut to what can be sent: guests wrote much of what is told of them. */
export function sendable<T>(value: T): T {
  return cutAny(value) as T;
}

function cutAny(value: unknown): unknown {
  if (typeof value === "string") return sendableText(value, LIMITS.inspectionTextBytes);
  if (Array.isArray(value)) return value.slice(0, LIMITS.inspectionItems).map(cutAny);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, cutAny(field)]));
}
