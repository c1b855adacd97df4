// A copy of a volume in another format, and a call that is given up before it has begun.

import { Buffer } from "node:buffer";
import { pipeline } from "node:stream/promises";
import { LibvirtError } from "@cistern/client";
import { example, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    const golden = await pool.createVolume(thinVolume("golden.img", 16n * MIB));
    await pipeline([Buffer.from("a system")], await golden.openUpload({ lengthBytes: 8n }));

    const copy = await pool.cloneVolume(thinVolume("copy.qcow2", 16n * MIB, "qcow2"), golden);
    const { capacityBytes } = await copy.info();
    console.log(`${copy.name} is as large as ${golden.name}: ${capacityBytes === (await golden.info()).capacityBytes}`);

    // Whoever asks may stop waiting at any time, or say from the start how long to wait.
    const signal = AbortSignal.abort();
    try {
      await pool.cloneVolume(thinVolume("never.img", 16n * MIB), golden, {}, { signal });
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      console.log(`given up: ${error.message}`);
    }
    console.log(`volumes: ${(await pool.listVolumes()).map(({ name }) => name).join(", ")}`);
  });
});
