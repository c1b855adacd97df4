export { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
export {
  authFilePlaces,
  type Credentials,
  type CredentialsRequest,
  type CredentialsSource,
  fromAuthFile,
} from "./authentication/credentials.js";
export type { Caller } from "./caller.js";
export type { CallOptions } from "./channel.js";
export { connect } from "./connect.js";
export { Connection } from "./connection.js";
export { type DeviceChange, DOMAIN_STATES, Domain, type DomainState } from "./domain.js";
export {
  DOMAIN_LIFECYCLE,
  type DomainBlockJobEvent,
  type DomainDeviceEvent,
  type DomainDiskChangeEvent,
  type DomainEvent,
  type DomainEventKind,
  type DomainEventSettings,
  type DomainLifecycle,
  type DomainLifecycleEvent,
  type DomainTrayEvent,
} from "./domain-events.js";
export { POOL_LIFECYCLE, type PoolEvent, type PoolLifecycle, type SecretEvent } from "./events.js";
export {
  type DomainFilter,
  POOL_TYPE_NAMES,
  type PoolFilter,
  type PoolTypeName,
  type SecretFilter,
} from "./filters.js";
export type { Job, JobKind, JobRequester, JobState } from "./job.js";
export type { ConnectOptions } from "./opening.js";
export type { AutostartFailure, PoolCommitment, VolumeInspection } from "./own-program.js";
export {
  type CloneVolumeSettings,
  type CreateVolumeSettings,
  type Overwrite,
  POOL_STATES,
  Pool,
  type PoolInfo,
  type PoolState,
  type StartPoolSettings,
} from "./pool.js";
export { SECRET_USAGES, Secret, type SecretUsage } from "./secret.js";
export { DownloadStream, type Hole, isHole } from "./streams/download-stream.js";
export type { StreamListener, StreamPort } from "./streams/stream-port.js";
export { UploadStream } from "./streams/upload-stream.js";
export type { Patience } from "./transports/connected.js";
export { memoryTransport } from "./transports/memory.js";
export type { SshTarget } from "./transports/ssh.js";
export type { TlsTarget } from "./transports/tls.js";
export { connectUnix } from "./transports/unix.js";
export { type Endpoint, type EndpointOptions, type Login, resolveEndpoint } from "./uri.js";
export {
  type ResizeSettings,
  type StreamSettings,
  VOLUME_KINDS,
  Volume,
  type VolumeInfo,
  type VolumeKind,
  WIPE_ALGORITHMS,
  type WipeAlgorithm,
} from "./volume.js";
export {
  type AdoptionPlan,
  type Attachment,
  type AttachmentConflict,
  type AttachSettings,
  type DomainSource,
  type Orphan,
  type OrphanPage,
  type PoolProposal,
  type ReachFault,
  type ReachReport,
  type VolumeExplanation,
  VolumeUses,
  type WithDoubts,
} from "./volume-uses.js";
