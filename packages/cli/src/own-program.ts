import type { CallOptions, Connection } from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";

/** What only a Cistern can tell; null: the daemon is none. */
export async function ifCistern<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_SUPPORT) return null;
    throw error;
  }
}

/**
 * What guests are only defined with is spared too, unless the user says otherwise: other clients delete disks before they
 * undefine a guest, people seldom do. Any other daemon knows of no guests.
 */
export async function spareDefined(connection: Connection, evenIfDefined: boolean, call: CallOptions): Promise<void> {
  await ifCistern(() => connection.uses.refuseDefined(!evenIfDefined, call));
}
