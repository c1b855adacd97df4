import { isatty } from "node:tty";
import { type DestinationStream, type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { limits } from "../limits.js";

export type { Logger } from "pino";

export interface LoggerOptions {
  /** trace, debug, info, warn, error, fatal or silent. */
  readonly level: string;
  /** "auto": text on a terminal, JSON otherwise. */
  readonly format: "auto" | "json" | "text";
  /** Default 2, standard error, as the journal and terminals expect. */
  readonly descriptor?: number;
}

export interface DaemonLogger {
  readonly logger: Logger;
  /** Of this logger and all its children from now on. */
  setLevel(level: string): void;
  /** Writes what is waiting, for the moment before the process ends; gives up on a reader that does not read. */
  close(): Promise<void>;
}

/**
 * Values under these names never reach a log, whatever object they came in. That nobody logs them is the first line of
 * defence; this is the second.
 */
const HIDDEN_NAMES = ["value", "secretValue", "password", "passphrase", "token", "system.token"];
const HIDDEN_PATHS = HIDDEN_NAMES.map((name) => `["${name}"]`).flatMap((name) => [name, `*${name}`, `*.*${name}`]);

/**
 * The daemon's log. Lines are written by Node's thread pool, not by the event loop: a terminal stopped with Ctrl-S, or
 * a full pipe, does not stop the daemon.
 */
export function createLogger(options: LoggerOptions): DaemonLogger {
  const descriptor = options.descriptor ?? 2;
  const output = pino.destination({ dest: descriptor, sync: false, maxLength: limits.unreadLogBytes });
  const onTerminal = isatty(descriptor);
  const asText = options.format === "text" || (options.format === "auto" && onTerminal);
  let lowestLevel = levelNumber(options.level);
  const logger = pino(
    {
      // A child takes its level when it is made; the hook is what SIGHUP moves for all of them at once.
      level: "trace",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: HIDDEN_PATHS, censor: "[hidden]" },
      hooks: {
        logMethod(words, method, level) {
          if (level >= lowestLevel) method.apply(this, words);
        },
      },
    },
    asText ? textStream(output, onTerminal) : output,
  );
  return {
    logger,
    setLevel(level) {
      lowestLevel = levelNumber(level);
    },
    close() {
      lowestLevel = Number.POSITIVE_INFINITY; // nothing can be written to what is closed
      return new Promise((resolve) => {
        const deadline = setTimeout(() => {
          output.destroy(); // or pino would wait for ever while the process ends
          resolve();
        }, limits.lastLogLinesMs);
        const done = () => {
          clearTimeout(deadline);
          resolve();
        };
        output.once("close", done);
        output.once("error", done);
        output.end();
      });
    },
  };
}

function levelNumber(level: string): number {
  return pino.levels.values[level] ?? Number.POSITIVE_INFINITY; // "silent"
}

/** "23:31:07.512 INFO: pool 'default' started {"call":"7.12"}" */
function textStream(output: DestinationStream, onTerminal: boolean): DestinationStream {
  const colorize = onTerminal && (process.env["NO_COLOR"] ?? "") === "";
  const format = prettyFactory({ colorize, translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return { write: (line) => void output.write(format(line)) };
}
