import type { Requester } from "../jobs/job-facts.js";
import type { Call } from "./call.js";

/** Who asked for the work that a call begins; `gone` aborts when the connection that it came by ends. */
export function requesterOf({ caller, connection }: Call): Requester {
  const { userId, processId } = caller.identity;
  const { id: client, gone, refusesDefinedUses } = connection;
  const requester = { door: "rpc", userId, processId, client, gone } as const;
  return refusesDefinedUses === null ? requester : { ...requester, refusesDefinedUses };
}
