// Volumes of several formats, found again by name, key and path; one that is built on another.

import { example, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    for (const [name, format] of [
      ["a.img", "raw"],
      ["b.qcow2", "qcow2"],
    ] as const) {
      const volume = await pool.createVolume(thinVolume(name, 16n * MIB, format));
      const byKey = await connection.lookupVolumeByKey(volume.key);
      const byPath = await connection.lookupVolumeByPath(await volume.path());
      const owner = await connection.lookupPoolOfVolume(volume);
      console.log(`${byKey.name} of ${owner.name} is also found as ${byPath.poolName}/${byPath.name}`);
    }

    const base = await pool.lookupVolume("b.qcow2");
    const overlay = thinVolume("overlay.qcow2", 16n * MIB, "qcow2").replace(
      "</volume>",
      `<backingStore><path>${await base.path()}</path><format type='qcow2'/></backingStore></volume>`,
    );
    await pool.createVolume(overlay);
    console.log(
      `${await pool.countVolumes()} volumes: ${(await pool.listVolumes()).map(({ name }) => name).join(", ")}`,
    );

    for (const volume of (await pool.listVolumes()).reverse()) await volume.delete();
    console.log(`${await pool.countVolumes()} volumes left`);
  });
});
