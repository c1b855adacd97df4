import {
  type DiskWish,
  diskOfVolume,
  readPool,
  readVolume,
  VOLUME_MODES,
  type VolumeMode,
  writeDisk,
} from "@cistern/documents";
import { type Command, Option } from "commander";
import { type Context, findPool } from "../context.js";

interface DiskOptions {
  readonly target: string;
  readonly bus?: string;
  readonly as?: "volume";
  readonly mode?: VolumeMode;
}

export function addVolumeDiskCommand(program: Command, contextOf: (command: Command) => Context): void {
  program
    .command("vol-disk-xml <pool> <volume>")
    .description(
      "Print the <disk> element by which a guest uses a volume, for virsh attach-device or a domain's document",
    )
    .requiredOption("--target <name>", "the disk's name in the guest, such as vdb")
    .option("--bus <bus>", "virtio, scsi, sata … (default: what libvirt takes for such a name)")
    .addOption(new Option("--as <what>", "say it by the names of pool and volume").choices(["volume"]))
    .addOption(
      new Option(
        "--mode <mode>",
        "with --as volume, of an iscsi pool: by the host's device or by QEMU's own initiator",
      ).choices(VOLUME_MODES),
    )
    .action((pool: string, volume: string, options: DiskOptions, command: Command) =>
      printDisk(contextOf(command), pool, volume, options),
    );
}

async function printDisk(context: Context, poolName: string, name: string, options: DiskOptions): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    const volume = await pool.lookupVolume(name, context.call);
    const [poolXml, volumeXml] = [await pool.xml({}, context.call), await volume.xml(context.call)];
    const poolDocument = readPool(poolXml);
    const document = readVolume(volumeXml, poolDocument.type, { capacity: "optional", measured: "read" });
    const wish: DiskWish = {
      target: options.target,
      bus: options.bus ?? null,
      byName: options.as === "volume",
      mode: options.mode ?? null,
    };
    context.printDocument(writeDisk(diskOfVolume(poolDocument, document, wish)));
  });
}
