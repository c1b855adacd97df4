// From an empty volume to none: written, read back, wiped, resized, deleted.

import { Buffer } from "node:buffer";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { example, formatBytes, MIB, thinVolume, withPool } from "./example.js";

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    const volume = await pool.createVolume(thinVolume("disk.img", MIB));
    const content = "what nobody may read later";
    const part = { offsetBytes: 4096n, lengthBytes: BigInt(content.length) };

    await pipeline([Buffer.from(content)], await volume.openUpload(part));
    console.log(`written and read back: "${await text(await volume.openDownload(part))}"`);

    await volume.wipe("zero");
    const isClean = (await text(await volume.openDownload(part))) === "\0".repeat(content.length);
    console.log(`after wiping: ${isClean ? "zeros" : "not clean"}`);

    await volume.resize(MIB, { delta: true });
    console.log(`grown to ${formatBytes((await volume.info()).capacityBytes)}`);

    await volume.delete();
    console.log(`deleted, ${await pool.countVolumes()} volumes left`);
  });
});
