import type { Connection, Volume } from "@cistern/client";
import type { Context } from "../context.js";
import { attemptOn } from "../failure.js";
import { findVolume } from "../lookup.js";
import { formatSize } from "../output/size.js";
import { formatFacts } from "../output/table.js";
import { command } from "./command.js";
import { flag, optionalPoolParameter, volumeParameter } from "./parameters.js";

export const volInfo = command({
  name: "vol-info",
  summary: "storage vol information",
  parameters: {
    vol: volumeParameter,
    pool: optionalPoolParameter,
    bytes: flag("sizes are represented in bytes rather than pretty units"),
    physical: flag("return the physical size of the volume in allocation field"),
    details: flag("also pool, format, path, key and backing file"),
  },
  async run(context, { vol, pool, bytes, physical, details }) {
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, pool, context.call);
      const [info, more] = await attemptOn(volume, `Failed to get information about vol ${vol}`, async () => [
        await volume.info({ physical }, context.call),
        await readDetails(connection, volume, context),
      ]);
      const { allocationBytes, ...facts } = info;
      const size = (value: bigint): string => (bytes ? `${value} bytes` : formatSize(value));
      const { backing } = more;
      const sizes = physical ? {} : { allocationBytes };
      context.printResult({ name: volume.name, ...facts, ...sizes, ...more }, () =>
        formatFacts({
          Name: volume.name,
          Type: info.kind,
          Capacity: size(info.capacityBytes),
          [physical ? "Physical" : "Allocation"]: size(allocationBytes),
          Pool: details ? more.pool : null,
          Format: details ? more.format : null,
          Path: details ? more.path : null,
          Key: details ? more.key : null,
          Backing: details && backing !== null ? `${backing.path} (${backing.format ?? "unknown format"})` : null,
        }),
      );
    });
  },
});

/** What the volume's document says beyond its sizes. */
async function readDetails(connection: Connection, volume: Volume, { call }: Context) {
  const { readPool, readVolume } = await import("@cistern/documents");
  const pool = await connection.lookupPoolOfVolume(volume, call);
  const { type } = readPool(await pool.xml({}, call));
  const document = readVolume(await volume.xml(call), type, { capacity: "optional", measured: "read" });
  const { target, backingStore, physicalBytes } = document;
  return {
    pool: volume.poolName,
    key: volume.key,
    path: await volume.path(call),
    physicalBytes,
    format: target.format,
    backing: backingStore === null ? null : { path: backingStore.path, format: backingStore.format },
  };
}
