export {
  SECRET_LIFECYCLE_EVENTS,
  type SecretEvent,
  type SecretEventListener,
  type SecretLifecycleEvent,
} from "./events.js";
export { openSecrets, type SecretsOptions } from "./open-secrets.js";
export type { SecretLookup, SecretProvider } from "./provider.js";
export { RemoteSecrets, type RemoteSecretsOptions } from "./remote-secrets.js";
export { type ReportSkipped, SecretFiles, type SecretReader, type StoredSecret } from "./secret-files.js";
export { SecretStore } from "./secret-store.js";
export { SystemToken } from "./system-token.js";
