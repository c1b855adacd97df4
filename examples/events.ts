// What happens to pools, told by the server while it happens.

import { join } from "node:path";
import { directoryPool, example, withDirectory } from "./example.js";

await example(async (connection) => {
  await withDirectory(async (directory) => {
    // From here on nothing is missed; events wait until somebody takes them.
    const events = await connection.poolEvents();

    const pool = await connection.definePool(directoryPool("example", join(directory, "pool")));
    await pool.build();
    await pool.start();
    await pool.refresh();
    await pool.stop();
    await pool.delete();
    await pool.undefine();

    for await (const event of events) {
      if (event.pool.uuid !== pool.uuid) continue;
      console.log(`${event.pool.name}: ${event.kind}`);
      // Leaving the loop unsubscribes.
      if (event.kind === "undefined") break;
    }
  });
});
