import type { Volume, VolumeInfo } from "@cistern/client";
import { ErrorCode } from "@cistern/protocol";
import type { Context } from "../context.js";
import { attempt } from "../failure.js";
import { findPool, unlessMissing } from "../lookup.js";
import { compareNames } from "../output/names.js";
import { formatSize } from "../output/size.js";
import { type Column, formatTable } from "../output/table.js";
import { command } from "./command.js";
import { flag, poolParameter } from "./parameters.js";

interface VolumeRow extends VolumeInfo {
  readonly name: string;
  readonly path: string;
}

const columns: readonly Column<VolumeRow>[] = [
  { title: "Name", cell: ({ name }) => name },
  { title: "Path", cell: ({ path }) => path },
];

const detailedColumns: readonly Column<VolumeRow>[] = [
  ...columns,
  { title: "Type", cell: ({ kind }) => kind },
  { title: "Capacity", cell: ({ capacityBytes }) => formatSize(capacityBytes) },
  { title: "Allocation", cell: ({ allocationBytes }) => formatSize(allocationBytes) },
];

export const volList = command({
  name: "vol-list",
  summary: "list vols",
  parameters: { pool: poolParameter, details: flag("display extended details for volumes") },
  async run(context, { pool: name, details }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, name, context.call);
      const volumes = await attempt("Failed to list volumes", () => pool.listVolumes(context.call));
      const found = await Promise.all(volumes.map((volume) => readRow(volume, context)));
      const rows = found.filter((row) => row !== null).sort((a, b) => compareNames(a.name, b.name));
      context.printResult(rows, () =>
        formatTable(details ? detailedColumns : columns, rows, { head: !context.isQuiet }),
      );
    });
  },
});

/** null: it was deleted meanwhile. */
function readRow(volume: Volume, { call }: Context): Promise<VolumeRow | null> {
  return unlessMissing(ErrorCode.NO_STORAGE_VOL, async () => {
    const [info, path] = await Promise.all([volume.info({}, call), volume.path(call)]);
    return { name: volume.name, path, ...info };
  });
}
