import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { HostError } from "../host/index.js";

/** What was being done to the stream when the operating system refused. */
export function streamError(error: unknown, doing: "read from" | "write to", more?: string): LibvirtError {
  if (!(error instanceof HostError)) return LibvirtError.from(error);
  return LibvirtError.system(
    ErrorDomain.STREAMS,
    error.errno,
    `cannot ${doing} stream${more === undefined ? "" : ` ${more}`}`,
  );
}
