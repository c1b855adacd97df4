import { hostname } from "node:os";
import type { Connection, Volume } from "@cistern/client";
import type { DiskDocument, VolumeMode } from "@cistern/documents";
import { confinesByAppArmor, GUEST_RULES_FILE, rulesFor } from "../apparmor.js";
import type { Context } from "../context.js";
import { type DiskChain, diskChain } from "../disk-chain.js";
import { attemptOn } from "../failure.js";
import { findPool, findVolumeOf } from "../lookup.js";
import { printable } from "../output/text.js";
import { ifCistern } from "../own-program.js";
import { command } from "./command.js";
import { flag, optionalChoice, optionalText, poolParameter, text, volumeParameter } from "./parameters.js";

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
    chain: flag("say the backing chain too (only cisternd knows it)"),
    apparmor: flag("tell the rules of AppArmor that a guest needs even where this host has none"),
  },
  async run(context, { pool: poolName, vol, target, bus, as, mode, chain: isChainWanted, apparmor }) {
    const { diskOfVolume, readPool, readVolume, writeDisk } = await import("@cistern/documents");
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, poolName, context.call);
      const volume = await findVolumeOf(connection, vol, pool, context.call);
      const poolDocument = readPool(await pool.xml({}, context.call));
      const task = `Failed to get the document of vol ${vol}`;
      const volumeXml = await attemptOn(volume, task, () => volume.xml(context.call));
      const document = readVolume(volumeXml, poolDocument.type, { capacity: "optional", measured: "read" });
      const byName = as === "volume";
      const needsRules = byName && (apparmor || (await isConfined(connection, context)));
      const chain = isChainWanted || needsRules ? await chainOf(connection, volume, context) : null;
      if (isChainWanted) tellGap(context, chain);
      const disk = diskOfVolume(poolDocument, document, { target, bus, byName, mode, ...chain });
      context.printDocument(writeDisk(isChainWanted ? disk : { ...disk, backing: null, dataStore: null }));
      if (needsRules && document.target.path !== null) tellRules(context, document.target.path, disk);
    });
  },
});

/** null: the daemon is no Cistern. */
function chainOf(connection: Connection, volume: Volume, { call }: Context): Promise<DiskChain | null> {
  return ifCistern(async () => diskChain(await connection.inspectVolume(volume, call)));
}

/** The guest is to run where the volume is; of another machine we know nothing. */
async function isConfined(connection: Connection, { call }: Context): Promise<boolean> {
  return (await confinesByAppArmor()) && (await connection.hostname(call)) === hostname();
}

function tellGap(context: Context, chain: DiskChain | null): void {
  if (chain === null) throw new Error("only cisternd follows backing chains, and this daemon is none");
  if (chain.gap !== null) tell(context, `the backing chain is not said to its end: ${printable(chain.gap)}`);
}

function tellRules(context: Context, path: string, disk: DiskDocument): void {
  const rules = rulesFor(path, disk).map((rule) => `  ${printable(rule)}`);
  tell(
    context,
    `AppArmor lets guests use volumes by name only by rules that libvirt does not write; in ${GUEST_RULES_FILE} add\n${rules.join("\n")}`,
  );
}

function tell({ surroundings }: Context, sentence: string): void {
  surroundings.stderr.write(`cistern: ${sentence}\n`);
}
