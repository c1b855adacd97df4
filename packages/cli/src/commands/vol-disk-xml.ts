import type { VolumeMode } from "@cistern/documents";
import { findPool } from "../lookup.js";
import { command } from "./command.js";
import { optionalChoice, optionalText, poolParameter, text, volumeParameter } from "./parameters.js";

const MODES = ["host", "direct"] as const satisfies readonly VolumeMode[];

export const volDiskXml = command({
  name: "vol-disk-xml",
  summary: "print the <disk> element by which a guest uses a volume, for virsh attach-device or a domain's document",
  parameters: {
    pool: poolParameter,
    vol: volumeParameter,
    target: text("the disk's name in the guest, such as vdb"),
    bus: optionalText("virtio, scsi, sata … (default: what libvirt takes for such a name)"),
    as: optionalChoice("say it by the names of pool and volume", ["volume"]),
    mode: optionalChoice("with --as volume, of an iscsi pool: by the host's device or by QEMU's own initiator", MODES),
  },
  async run(context, { pool: poolName, vol, target, bus, as, mode }) {
    const { diskOfVolume, readPool, readVolume, writeDisk } = await import("@cistern/documents");
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, poolName, context.call);
      const volume = await pool.lookupVolume(vol, context.call);
      const poolDocument = readPool(await pool.xml({}, context.call));
      const volumeXml = await volume.xml(context.call);
      const document = readVolume(volumeXml, poolDocument.type, { capacity: "optional", measured: "read" });
      const wish = { target, bus, byName: as === "volume", mode };
      context.printDocument(writeDisk(diskOfVolume(poolDocument, document, wish)));
    });
  },
});
