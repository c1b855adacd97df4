import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect, type Pool } from "@cistern/client";

/** Runs an example over a connection to the URI that was typed, and says goodbye at its end, however it ends. */
export async function example(work: (connection: Connection) => Promise<void>): Promise<void> {
  const uri = process.argv[2];
  if (uri === undefined) {
    console.error("Give a URI, such as storage:///system or qemu+unix:///system?socket=/path");
    process.exitCode = 2;
    return;
  }
  const connection = await connect(uri);
  try {
    await work(connection);
  } finally {
    await connection.close();
  }
}

/** A directory on this host that nobody else uses, for as long as `work` takes. */
export async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "cistern-example-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A running pool of such a directory, which is gone afterwards with all of its volumes. */
export async function withPool(connection: Connection, work: (pool: Pool) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const pool = await connection.createPool(directoryPool("example", directory));
    try {
      await work(pool);
    } finally {
      await pool.stop();
    }
  });
}

/** The document of a pool whose volumes are the files of a directory. */
export function directoryPool(name: string, directory: string): string {
  return `<pool type='dir'><name>${name}</name><target><path>${directory}</path></target></pool>`;
}

/** The document of a volume that takes no space before something is written to it. */
export function thinVolume(name: string, capacityBytes: bigint, format = "raw"): string {
  return `<volume>
  <name>${name}</name>
  <capacity unit='bytes'>${capacityBytes}</capacity>
  <allocation unit='bytes'>0</allocation>
  <target><format type='${format}'/></target>
</volume>`;
}

export const MIB = 1024n * 1024n;

/** "1.5 MiB" */
export function formatBytes(bytes: bigint): string {
  let value = Number(bytes);
  for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${Number(value.toFixed(1))} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}
