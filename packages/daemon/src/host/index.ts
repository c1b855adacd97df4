export { describeFailure } from "./command-line.js";
export { type ErrorCode, hostError, hostErrorFrom } from "./errors.js";
export * from "./host.js";
export { Hosts, type HostsOptions } from "./hosts.js";
export { hostLimits } from "./limits.js";
export { connectLocalSocket } from "./local-socket.js";
export { isLeftoverOfAtomicWrite } from "./local/local-directory.js";
export { lockFile, type PeerCredentials, peerCredentials, peerCredentialsOf, unlockFile } from "./native.js";
export { findProgram } from "./programs.js";
