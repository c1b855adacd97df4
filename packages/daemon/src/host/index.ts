export { hostLimits } from "../limits.js";
export { describeFailure } from "./command-line.js";
export { withDeadline } from "./deadline.js";
export { EarlyWriteback } from "./early-writeback.js";
export { type ErrorCode, hostError, hostErrorFrom } from "./errors.js";
export { fileIdentity, identityOf, isEvidenceOf } from "./evidence.js";
export * from "./host.js";
export { Hosts, type HostsOptions } from "./hosts.js";
export { connectLocalSocket } from "./local-socket.js";
export { textOfBytes } from "./names.js";
export {
  lockFile,
  type PeerCredentials,
  peerCredentials,
  peerCredentialsOf,
  peerHungUp,
  unlockFile,
} from "./native.js";
export { endProcess, killOrphans, MARKER_VARIABLE, markerOf, type Orphans, startTimeOf } from "./orphans.js";
export { isOwnName } from "./own-names.js";
export { clearPrivateDirectory, PASSPHRASE_SUFFIX } from "./private-directory.js";
export { findProgram } from "./programs.js";
export { removeTree } from "./remove-tree.js";
export { isLeftoverOfAtomicWrite, isReservedName, isTemporaryName, temporaryName } from "./temporary-names.js";
