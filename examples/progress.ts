// How far slow work is: streams count what goes by, and Cistern tells about jobs of its own.

import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Connection, ErrorCode, type Job, LibvirtError, type Volume } from "@cistern/client";
import { example, formatBytes, MIB, thinVolume, withPool } from "./example.js";

const SIZE = 16n * MIB;

function* chunks(): Generator<Buffer> {
  for (let sent = 0n; sent < SIZE; sent += MIB) yield randomBytes(Number(MIB));
}

/** A stream knows how far it is, so whoever draws a bar asks it as often as he likes. */
async function upload(volume: Volume): Promise<void> {
  const stream = await volume.openUpload({ lengthBytes: SIZE });
  const show = (): void => console.log(`upload: ${formatBytes(stream.doneBytes)} of ${formatBytes(SIZE)}`);
  const timer = setInterval(show, 100);
  try {
    await pipeline(Readable.from(chunks()), stream);
  } finally {
    clearInterval(timer);
  }
  show();
}

/** All jobs as they change; null at a daemon that is not Cistern. */
async function watch(connection: Connection): Promise<AsyncIterableIterator<Job> | null> {
  try {
    return await connection.watchJobs();
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_SUPPORT) return null;
    throw error;
  }
}

await example(async (connection) => {
  await withPool(connection, async (pool) => {
    const volume = await pool.createVolume(thinVolume("disk.img", SIZE));
    await upload(volume);

    const jobs = await watch(connection);
    const wiped = volume.wipe("zero");
    if (jobs === null) console.log("this daemon does not tell how far a wipe is");
    else {
      for await (const job of jobs) {
        if (job.kind !== "wipe" || job.pool !== pool.name) continue;
        const total = job.totalBytes === null ? "" : ` of ${formatBytes(job.totalBytes)}`;
        console.log(`${job.title}: ${job.state}, ${formatBytes(job.doneBytes)}${total}`);
        if (job.endedAt !== null) break;
      }
    }
    await wiped;
    console.log("wiped");
  });
});
