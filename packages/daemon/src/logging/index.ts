export { callLogger, createLogger, type DaemonLogger, type Logger, type LoggerOptions } from "./logger.js";
