// What pools there could be: which types the server has, and which sources it sees for them.

import { ErrorCode, LibvirtError } from "@cistern/client";
import { example } from "./example.js";

await example(async (connection) => {
  const capabilities = await connection.poolCapabilities();
  for (const [, type, supported] of capabilities.matchAll(/<pool type='([^']+)' supported='(yes|no)'/g)) {
    console.log(`${type}: ${supported === "yes" ? "supported" : "not supported"}`);
  }

  // Volume groups of this host. A server without LVM says so.
  try {
    console.log((await connection.findPoolSources("logical")).trim());
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    console.log(`no volume groups can be found: ${error.message.trim()}`);
  }

  // Where a type needs to be told where to look, it says so as well.
  try {
    await connection.findPoolSources("netfs", "<source><host name=''/></source>", { timeoutMs: 10_000 });
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code === ErrorCode.OPERATION_TIMEOUT) throw error;
    console.log(`no exports can be found without a host: ${error.message.trim()}`);
  }
});
