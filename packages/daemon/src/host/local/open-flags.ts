import { constants } from "node:fs";
import type { FileAccess } from "../host.js";

export const accessFlags: Readonly<Record<FileAccess, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  "read-write": constants.O_RDWR,
  exclusive: constants.O_RDWR | constants.O_EXCL,
};

/** Opening never waits (a FIFO without a writer, a tape drive without a tape) and takes no controlling terminal. */
export const safeFlags = constants.O_NONBLOCK | constants.O_NOCTTY;

export const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK;
