import { type CallOptions, type Volume, WIPE_ALGORITHMS } from "@cistern/client";
import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import { attempt } from "../failure.js";
import { withProgress } from "../long-work.js";
import { findVolume } from "../lookup.js";
import { printable } from "../output/text.js";
import { spareDefined } from "../own-program.js";
import { command } from "./command.js";
import {
  evenIfDefinedParameter,
  flag,
  optionalChoice,
  optionalPoolParameter,
  readSize,
  text,
  volumeParameter,
  volumesParameter,
} from "./parameters.js";

export const volDelete = command({
  name: "vol-delete",
  summary: "delete a vol",
  parameters: {
    vol: volumesParameter,
    pool: optionalPoolParameter,
    "delete-snapshots": flag("delete snapshots associated with volume (must be supported by storage driver)"),
    "even-if-defined": evenIfDefinedParameter,
  },
  run: (context, { vol, pool, "delete-snapshots": withSnapshots, "even-if-defined": evenIfDefined }) =>
    change(context, vol, pool, {
      evenIfDefined,
      task: (name) => `Failed to delete vol ${name}`,
      done: (name) => `Vol ${name} deleted`,
      change: (volume, call) => volume.delete({ withSnapshots }, call),
    }),
});

export const volWipe = command({
  name: "vol-wipe",
  summary: "wipe a vol: overwrite it so that its contents cannot be read again",
  parameters: {
    vol: volumesParameter,
    pool: optionalPoolParameter,
    algorithm: optionalChoice("perform selected wiping algorithm (default: zero)", WIPE_ALGORITHMS),
    "even-if-defined": evenIfDefinedParameter,
  },
  run: (context, { vol, pool, algorithm, "even-if-defined": evenIfDefined }) =>
    change(context, vol, pool, {
      evenIfDefined,
      task: (name) => `Failed to wipe vol ${name}`,
      done: (name) => `Vol ${name} wiped`,
      change: (volume, call) => volume.wipe(algorithm ?? "zero", call),
    }),
});

export const volResize = command({
  name: "vol-resize",
  summary: "resize a vol that no running guest uses",
  parameters: {
    vol: volumeParameter,
    capacity: text("new capacity for the vol, as scaled integer (default bytes)", { placeholder: "size" }),
    pool: optionalPoolParameter,
    allocate: flag("allocate the new capacity, rather than leaving it sparse"),
    delta: flag("use capacity as a delta to current size, rather than the new size"),
    shrink: flag("allow the resize to shrink the volume"),
    "even-if-defined": evenIfDefinedParameter,
  },
  run(context, { vol, capacity, pool, allocate, delta, shrink, "even-if-defined": evenIfDefined }) {
    // The sign of a negative difference is said by --shrink.
    const isNegative = capacity.startsWith("-");
    if (isNegative && !shrink) throw new UsageError("negative size requires --shrink");
    const amount = isNegative ? capacity.slice(1) : capacity;
    const capacityBytes = readSize(amount);
    return change(context, [vol], pool, {
      evenIfDefined,
      task: (name) => `Failed to change size of volume '${name}' ${delta ? "by" : "to"} ${amount}`,
      done: (name) => `Size of volume '${name}' successfully changed ${delta ? "by" : "to"} ${amount}`,
      change: (volume, call) => volume.resize(capacityBytes, { allocate, delta, shrink }, call),
    });
  },
});

/** Of volumes as they were called. */
interface Change {
  readonly evenIfDefined: boolean;
  task(name: string): string;
  done(name: string): string;
  change(volume: Volume, call: CallOptions): Promise<void>;
}

/** One thing done to one or more volumes, one after the other. */
async function change(context: Context, names: readonly string[], pool: string | null, spec: Change): Promise<void> {
  await context.withConnection(async (connection) => {
    await spareDefined(connection, spec.evenIfDefined, context.call);
    for (const name of names) {
      const volume = await findVolume(connection, name, pool, context.call);
      const subject = { pool: volume.poolName, volume: volume.name };
      await attempt(
        spec.task(name),
        () => withProgress(context, connection, subject, (call) => spec.change(volume, call)),
        subject,
      );
      context.printDone(spec.done(printable(name)), subject);
    }
  });
}
