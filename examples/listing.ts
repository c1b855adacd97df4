// Shows the pools of a host, and the volumes in those that run.

import { example, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    await pool.createVolume(thinVolume("disk1.img", MIB));
    await pool.createVolume(thinVolume("disk2.img", 2n * MIB));

    for (const found of await connection.listPools()) {
      const isActive = await found.isActive();
      console.log(`${found.name}: ${isActive ? "active" : "inactive"}`);
      if (!isActive) continue;
      for (const volume of await found.listVolumes()) console.log(`  ${volume.name}  ${await volume.path()}`);
    }
    console.log(`${await connection.countPools(true)} active, ${await connection.countPools(false)} inactive`);
  });
});
