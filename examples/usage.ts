// How full a pool is, what its volumes take, and what they would take if guests wrote to all of them.

import { example, formatBytes, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    await pool.createVolume(thinVolume("thin", 64n * MIB));
    const thick = await pool.createVolume(thinVolume("thick", 4n * MIB));
    await thick.resize(8n * MIB, { allocate: true });
    await pool.refresh();

    const { state, capacityBytes, allocationBytes, availableBytes } = await pool.info();
    const used = `${formatBytes(allocationBytes)} of ${formatBytes(capacityBytes)} used`;
    console.log(`${pool.name} is ${state}: ${used}, ${formatBytes(availableBytes)} free`);

    let promisedBytes = 0n;
    for (const volume of await pool.listVolumes()) {
      const info = await volume.info();
      promisedBytes += info.capacityBytes;
      console.log(`  ${volume.name}: ${formatBytes(info.allocationBytes)} of ${formatBytes(info.capacityBytes)}`);
    }
    console.log(`promised to guests: ${formatBytes(promisedBytes)}`);
  });
});
