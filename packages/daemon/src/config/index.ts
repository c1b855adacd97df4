export { findGroup } from "./accounts.js";
export { type CommandLine, HELP, parseCommandLine } from "./command-line.js";
export { loadConfiguration, readConfiguration, reloadConfiguration } from "./configuration.js";
export { ConfigurationError, exitStatus, exitStatusOf, InUseError, UsageError } from "./errors.js";
export { acquireLock, type HeldLock, type LockDescriptor } from "./lock.js";
export { findPlaces, type Places, type PlacesMode, type Surroundings } from "./places.js";
export { autostartPausesOf, jobSettingsOf, overcommitRatiosOf, volumePolicyOf } from "./policies.js";
export { prepareDirectories } from "./prepare.js";
export {
  type Configuration,
  type LogFormat,
  type LogLevel,
  type Setting,
  settingFields,
  settings,
  socketModeOf,
  standardConfiguration,
  type UriScheme,
} from "./settings.js";
export { clearSocketFile, protectSocketFile } from "./socket-file.js";
