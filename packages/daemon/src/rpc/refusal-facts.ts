import { errorCodeName, type LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";

/** What the log says of a refused call. A message may repeat a name of 4 MiB, which is no news to the log's reader. */
export function refusalFacts(refusal: LibvirtError): Readonly<Record<string, unknown>> {
  const { code, message, cause } = refusal;
  const isLong = message.length > limits.loggedReasonLength;
  const facts = {
    code: errorCodeName(code),
    reason: isLong ? `${message.slice(0, limits.loggedReasonLength)}…` : message,
  };
  // The cause of a long message is as long.
  return cause === undefined || isLong ? facts : { ...facts, err: cause };
}
