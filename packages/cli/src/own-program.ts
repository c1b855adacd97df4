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
