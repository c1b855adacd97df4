import type { Procedure } from "@cistern/protocol";
import type { CallOptions } from "./channel.js";
import type { StreamPort } from "./streams/stream-port.js";

/** What pools and volumes need of their connection. */
export interface Caller {
  /** Any procedure of the protocol. */
  call<Args, Result>(procedure: Procedure<Args, Result>, args: Args, options?: CallOptions): Promise<Result>;
  /** Any procedure that opens a stream. */
  openStream<Args>(procedure: Procedure<Args, void>, args: Args, options?: CallOptions): Promise<StreamPort>;
}
