import type { Volume, VolumeInfo } from "@cistern/client";
import { ErrorCode } from "@cistern/protocol";
import type { Context } from "../context.js";
import { attempt, factsOf } from "../failure.js";
import { findPool, unlessMissing } from "../lookup.js";
import { compareNames } from "../output/names.js";
import { formatSize } from "../output/size.js";
import { type Column, formatTable } from "../output/table.js";
import { command } from "./command.js";
import { flag, poolParameter } from "./parameters.js";

interface VolumeRow {
  readonly name: string;
  readonly path: string;
}

interface DetailedRow extends VolumeRow {
  /** null: the server cannot look at the volume. */
  readonly info: VolumeInfo | null;
}

const columns: readonly Column<VolumeRow>[] = [
  { title: "Name", cell: ({ name }) => name },
  { title: "Path", cell: ({ path }) => path },
];

const UNKNOWN = "unknown";

const detailedColumns: readonly Column<DetailedRow>[] = [
  ...columns,
  { title: "Type", cell: ({ info }) => info?.kind ?? UNKNOWN },
  { title: "Capacity", cell: ({ info }) => (info === null ? UNKNOWN : formatSize(info.capacityBytes)) },
  { title: "Allocation", cell: ({ info }) => (info === null ? UNKNOWN : formatSize(info.allocationBytes)) },
];

export const volList = command({
  name: "vol-list",
  summary: "list vols",
  parameters: { pool: poolParameter, details: flag("display extended details for volumes") },
  async run(context, { pool: name, details }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, name, context.call);
      const volumes = await attempt("Failed to list volumes", () => pool.listVolumes(context.call));
      const head = !context.isQuiet;
      if (context.isText && !details) {
        const rows = await readRows(volumes, (volume) => readRow(volume, context));
        return context.print(formatTable(columns, rows, { head }));
      }
      const rows = await readRows(volumes, (volume) => readDetailedRow(volume, context));
      const data = rows.map(({ name, path, info }) => ({ name, path, ...(info ?? { kind: null }) }));
      context.printResult(data, () => formatTable(detailedColumns, rows, { head }));
    });
  },
});

/** In virsh's order, without those that were deleted meanwhile. */
async function readRows<Row extends VolumeRow>(
  volumes: readonly Volume[],
  read: (volume: Volume) => Promise<Row>,
): Promise<Row[]> {
  const rows = await Promise.all(volumes.map((volume) => unlessMissing(ErrorCode.NO_STORAGE_VOL, () => read(volume))));
  return rows.filter((row) => row !== null).sort((a, b) => compareNames(a.name, b.name));
}

async function readRow(volume: Volume, { call }: Context): Promise<VolumeRow> {
  return { name: volume.name, path: await volume.path(call) };
}

/** What the server cannot look at is part of the listing all the same. */
async function readDetailedRow(volume: Volume, context: Context): Promise<DetailedRow> {
  const [row, info] = await Promise.all([
    readRow(volume, context),
    volume.info({}, context.call).catch((error: unknown) => {
      const { libvirt } = factsOf(error);
      if (libvirt?.code === ErrorCode.SYSTEM_ERROR) return null;
      throw error;
    }),
  ]);
  return { ...row, info };
}
