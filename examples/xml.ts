// Reads documents into typed values, changes one, and gives it back. @cistern/documents knows every element that libvirt does.

import { readPool, readVolume, writePool } from "@cistern/documents";
import { directoryPool, example, MIB, thinVolume, withDirectory } from "./example.js";

await example(async (connection) => {
  await withDirectory(async (directory) => {
    const pool = await connection.definePool(directoryPool("example", directory));
    try {
      const document = readPool(await pool.xml({ inactive: true }));
      console.log(`${document.name} is a pool of type ${document.type} with the UUID ${document.uuid}`);
      const { permissions } = document.target;
      const changed = { ...document, target: { ...document.target, permissions: { ...permissions, mode: 0o750 } } };
      await connection.definePool(writePool(changed), { validate: true });
      console.log(await pool.xml());

      await pool.start();
      const volume = await pool.createVolume(thinVolume("disk.qcow2", 64n * MIB, "qcow2"));
      const { target, capacityBytes } = readVolume(await volume.xml(), "dir", { capacity: "required" });
      console.log(`${volume.name} has the format ${target.format} and a capacity of ${capacityBytes} bytes`);
    } finally {
      if (await pool.isActive()) await pool.stop();
      await pool.undefine();
    }
  });
});
