export {
  SECRET_LIFECYCLE_EVENTS,
  type SecretEvent,
  type SecretEventListener,
  type SecretLifecycleEvent,
} from "./events.js";
export { SECRET_USAGE, type SecretLookup, type SecretProvider, type SecretUsage } from "./provider.js";
