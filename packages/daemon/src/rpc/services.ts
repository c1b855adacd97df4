import type { AttachmentChanges } from "../attachments/changes.js";
import type { Reports } from "../attachments/reports.js";
import type { Jobs } from "../jobs/jobs.js";
import type { Logger } from "../logging/index.js";
import type { EventLoopDelay } from "../monitoring/event-loop.js";
import type { PoolCommitments } from "../pools/commitment.js";
import type { Discovery } from "../pools/discovery.js";
import type { PoolEvents } from "../pools/events.js";
import type { Pools } from "../pools/pools.js";
import type { SecretProvider } from "../secrets/index.js";
import type { VolumeCreation } from "../volumes/creation.js";
import type { Inspection } from "../volumes/inspection.js";
import type { Transfers } from "../volumes/transfer.js";
import type { Volumes } from "../volumes/volumes.js";

/** What the door leads to. */
export interface Services {
  readonly log: Logger;
  /** Is told when somebody waits for an answer. */
  readonly eventLoop: EventLoopDelay;
  readonly pools: Pools;
  readonly poolEvents: PoolEvents;
  readonly commitments: PoolCommitments;
  readonly volumes: Volumes;
  readonly creation: VolumeCreation;
  readonly transfers: Transfers;
  readonly inspection: Inspection;
  readonly reports: Reports;
  readonly changes: AttachmentChanges;
  readonly discovery: Discovery;
  readonly jobs: Jobs;
  readonly secrets: SecretProvider;
  /** Answers of this host that do not change while the daemon runs. */
  readonly host: HostFacts;
  /** Documents that do not change while the daemon runs. */
  readonly documents: { readonly capabilities: string; readonly poolCapabilities: string };
  /** Whether a peer knows the token that only daemons of this host can read. */
  isSystemToken(token: string): Promise<boolean>;
  /** Whether "…:///session" is this instance: it runs as a user, or privately with --root. */
  readonly opensSession: boolean;
}

export interface HostFacts {
  readonly name: string;
  readonly cpuModel: string;
  readonly cpuCount: number;
  readonly cpuMhz: number;
  readonly memoryKiB: bigint;
}
