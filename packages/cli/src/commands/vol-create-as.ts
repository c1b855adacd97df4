import type { Connection } from "@cistern/client";
import type { Context } from "../context.js";
import { Failure } from "../failure.js";
import { findPool, findVolume } from "../lookup.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, optionalSize, optionalText, poolParameter, size, text } from "./parameters.js";
import { create, created, createParameters } from "./vol-create.js";

const FORMATS = ["raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "bochs"] as const;

export const volCreateAs = command({
  name: "vol-create-as",
  summary: "create a volume from a set of args",
  parameters: {
    pool: poolParameter,
    name: text("name of the volume"),
    capacity: size("size of the vol, as scaled integer (default bytes)"),
    allocation: optionalSize("initial allocation size, as scaled integer (default: all of it for raw)"),
    format: optionalText("file format type raw, qcow2, qed, vmdk …", { completes: FORMATS }),
    "backing-vol": optionalText("the volume, or the path of a file outside pools, that shows through", {
      completes: "volumes",
    }),
    "backing-vol-format": optionalText("format of backing volume", { completes: FORMATS }),
    ...createParameters,
    "print-xml": flag("print XML document, but don't define/create"),
  },
  async run(context, { pool: poolName, name, capacity, allocation, format, ...values }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, poolName, context.call);
      const backing = values["backing-vol"];
      const backingPath = backing === null ? null : await pathOfBacking(connection, backing, pool.name, context);
      const described = {
        name,
        capacity,
        allocation,
        format,
        backingPath,
        backingFormat: values["backing-vol-format"],
      };
      const xml = await newVolumeXml(described);
      if (values["print-xml"]) return context.printDocument(xml);
      const settings = { preallocateMetadata: values["prealloc-metadata"] };
      const volume = await create(context, connection, pool, `Failed to create vol ${name}`, (call) =>
        pool.createVolume(xml, settings, call),
      );
      context.printDone(`Vol ${printable(name)} created`, created(volume));
    });
  },
});

/** A volume's path; a path that no pool has is taken as it is. */
async function pathOfBacking(
  connection: Connection,
  backing: string,
  pool: string,
  { call }: Context,
): Promise<string> {
  try {
    return await (await findVolume(connection, backing, pool, call)).path(call);
  } catch (error) {
    if (error instanceof Failure && backing.startsWith("/")) return backing;
    throw error;
  }
}

interface NewVolume {
  readonly name: string;
  readonly capacity: bigint;
  /** null: all of the capacity, as libvirt has it. */
  readonly allocation: bigint | null;
  readonly format: string | null;
  readonly backingPath: string | null;
  readonly backingFormat: string | null;
}

async function newVolumeXml(volume: NewVolume): Promise<string> {
  const { XmlWriter } = await import("@cistern/documents");
  const { name, capacity, allocation, format, backingPath, backingFormat } = volume;
  const writer = new XmlWriter().open("volume").leaf("name", {}, name).leaf("capacity", {}, capacity);
  if (allocation !== null) writer.leaf("allocation", {}, allocation);
  if (format !== null) writer.open("target").leaf("format", { type: format }).close();
  if (backingPath !== null) {
    writer.open("backingStore").leaf("path", {}, backingPath);
    if (backingFormat !== null) writer.leaf("format", { type: backingFormat });
    writer.close();
  }
  return writer.close().toString();
}
