import { constants, fstatSync, openSync } from "node:fs";

const STANDARD_ERROR = 2;

/**
 * A descriptor for the log. A pipe or terminal on standard error is opened anew without blocking: a write to one that
 * nobody reads (a terminal stopped with Ctrl-S, a pager) would otherwise hold a thread of Node's for ever, and with it
 * the end of the daemon. Files and sockets (the journal's) are used as they are; a second opening of a file would have a
 * position of its own.
 */
export function openLogDescriptor(): number {
  try {
    const facts = fstatSync(STANDARD_ERROR);
    if (!facts.isFIFO() && !facts.isCharacterDevice()) return STANDARD_ERROR;
    return openSync(`/proc/self/fd/${STANDARD_ERROR}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return STANDARD_ERROR;
  }
}
