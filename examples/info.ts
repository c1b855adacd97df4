// What can be asked about a connection, a pool and a volume.

import { example, formatBytes, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  console.log(`connected to ${await connection.uri()}, whose driver is ${await connection.hypervisorType()}`);
  await withPool(connection, async (pool) => {
    const { state } = await pool.info();
    const persistence = (await pool.isPersistent()) ? "persistent" : "transient";
    console.log(`pool ${pool.name}, UUID ${pool.uuid}: ${state}, ${persistence}`);

    const volume = await pool.createVolume(thinVolume("disk.img", 8n * MIB));
    const { kind, capacityBytes, allocationBytes } = await volume.info();
    const physical = await volume.info({ physical: true });
    console.log(`volume ${volume.name} of pool ${volume.poolName}, a ${kind} at ${await volume.path()}`);
    console.log(`  its guest sees ${formatBytes(capacityBytes)}, it takes ${formatBytes(allocationBytes)}`);
    console.log(`  the file itself is ${formatBytes(physical.allocationBytes)} long`);
  });
});
