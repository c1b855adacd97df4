export { createLogger, type DaemonLogger, type Logger, type LoggerOptions } from "./logger.js";
