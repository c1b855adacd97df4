// Pools that start with the host: marking them, and listing which are.

import { join } from "node:path";
import { directoryPool, example, withDirectory } from "./example.js";

await example(async (connection) => {
  await withDirectory(async (directory) => {
    const names = ["example-a", "example-b"];
    const pools = await Promise.all(
      names.map((name) => connection.definePool(directoryPool(name, join(directory, name)))),
    );
    try {
      await pools[0]?.setAutostart(true);
      const marked = await connection.listPools({ autostart: true });
      for (const pool of pools) {
        const isListed = marked.some(({ uuid }) => uuid === pool.uuid);
        console.log(
          `${pool.name}: ${(await pool.autostart()) ? "yes" : "no"}${isListed ? ", and listed as such" : ""}`,
        );
      }
      await pools[0]?.setAutostart(false);
      console.log(`then: ${(await pools[0]?.autostart()) ? "yes" : "no"}`);
    } finally {
      for (const pool of pools) await pool.undefine();
    }
  });
});
