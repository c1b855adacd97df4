import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { attempt, Failure } from "../failure.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, optionalText, text } from "./parameters.js";
import { findPlacedVolume, volumePlaceParameter } from "./volume-place.js";

const domainParameter = text("the guest's name or uuid", { placeholder: "domain", completes: "domains" });
const extent = {
  live: flag("what the guest does now"),
  config: flag("its definition, from the next start on"),
};

export const attach = command({
  name: "attach",
  summary: "give a volume to a guest as a disk; refuses a second writer (only cisternd can)",
  parameters: {
    volume: volumePlaceParameter,
    domain: domainParameter,
    target: optionalText("the disk's name in the guest, such as vdb (default: the first that is free)", {
      isNamedOnly: true,
    }),
    bus: optionalText("virtio, scsi, sata … (default: what the name means, else virtio)", { isNamedOnly: true }),
    ...extent,
    "read-only": flag("the guest may not write to it"),
    shareable: flag("others that call it shareable may write to it too"),
  },
  async run(context, { volume: place, domain, target, bus, live, config, "read-only": readOnly, shareable }) {
    await context.withConnection(async (connection) => {
      const volume = await findPlacedVolume(connection, place, context.call);
      const settings = { target: target ?? undefined, bus: bus ?? undefined, live, config, readOnly, shareable };
      const attached = await attempt(
        `Failed to attach volume ${place} to domain ${domain}`,
        () => connection.uses.attach(volume, domain, settings, context.call),
        { pool: volume.poolName, volume: volume.name },
      );
      const data = { pool: volume.poolName, volume: volume.name, domain, ...attached };
      context.printDone(
        `Volume ${printable(place)} attached to domain ${printable(domain)} as ${attached.target}`,
        data,
      );
    });
  },
});

export const detach = command({
  name: "detach",
  summary: "take a volume away from a guest (only cisternd can)",
  parameters: {
    volume: volumePlaceParameter,
    domain: domainParameter,
    target: optionalText("which of its disks, where it has the volume more than once", { isNamedOnly: true }),
    ...extent,
  },
  async run(context, { volume: place, domain, target, live, config }) {
    await context.withConnection(async (connection) => {
      const volume = await findPlacedVolume(connection, place, context.call);
      const task = `Failed to detach volume ${place} from domain ${domain}`;
      const detached = await attempt(task, () =>
        connection.uses.detach(volume, domain, { target: target ?? undefined, live, config }, context.call),
      );
      if (!detached.isReleased) throw new Failure(notReleased(domain, detached.target), { task, hint: HINT });
      const data = { pool: volume.poolName, volume: volume.name, domain, target: detached.target };
      context.printDone(`Volume ${printable(place)} detached from domain ${printable(domain)}`, data);
    });
  },
});

const HINT = "a guest lets go only when its system takes part: try again once it has booted, or shut it down";

function notReleased(domain: string, target: string): LibvirtError {
  const detail = `guest '${domain}' was asked and has not let go of ${target}: it is still in use`;
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, detail);
}
