import type { CallOptions, Pool } from "@cistern/client";
import { UsageError } from "../exit-status.js";
import { attempt } from "../failure.js";
import { withProgress } from "../long-work.js";
import { findPool } from "../lookup.js";
import { printable } from "../output/text.js";
import { spareDefined } from "../own-program.js";
import { type Command, command, type ParameterTable, type ValuesOf } from "./command.js";
import { evenIfDefinedParameter, flag, poolsParameter } from "./parameters.js";

export const buildParameters = {
  build: flag("build the pool as normal"),
  "no-overwrite": flag("do not overwrite any existing data"),
  overwrite: flag("overwrite any existing data"),
} as const;

type Build = boolean | "overwrite" | "refuse";

/** What may be prepared before a pool starts, as `Pool.start` takes it. */
export function readBuild(values: ValuesOf<typeof buildParameters>): Build {
  const { build, overwrite, "no-overwrite": keep } = values;
  refuseBoth(values);
  return overwrite ? "overwrite" : keep ? "refuse" : build;
}

/** What is left of a pool whose creation was cancelled: nobody takes back a directory or file system that was made for it. */
export function leftOfCreation(build: Build): string {
  return build === false ? "the pool was not created" : `the pool was not created; ${BUILT_STAYS}`;
}

const BUILT_STAYS = "what had been built for it stays";

export const poolStart = changeOfPools("pool-start", "start a (previously defined) inactive pool", {
  parameters: buildParameters,
  task: "start",
  isLong: true,
  done: (name) => `Pool ${name} started`,
  left: (values) => (readBuild(values) === false ? undefined : `the pool is not started; ${BUILT_STAYS}`),
  change(values) {
    const build = readBuild(values);
    return (pool, call) => pool.start({ build }, call);
  },
});

export const poolBuild = changeOfPools("pool-build", "build a pool: make its directory, file system, volume group …", {
  parameters: { "no-overwrite": buildParameters["no-overwrite"], overwrite: buildParameters.overwrite },
  task: "build",
  isLong: true,
  done: (name) => `Pool ${name} built`,
  change(values) {
    refuseBoth(values);
    const existing = values.overwrite ? "overwrite" : values["no-overwrite"] ? "refuse" : undefined;
    return (pool, call) => pool.build({ existing }, call);
  },
});

export const poolDestroy = changeOfPools("pool-destroy", "destroy (stop) a pool; its storage stays as it is", {
  parameters: { "even-if-defined": evenIfDefinedParameter },
  evenIfDefined: (values) => values["even-if-defined"],
  task: "destroy",
  isLong: false,
  done: (name) => `Pool ${name} destroyed`,
  change: () => (pool, call) => pool.stop(call),
});

export const poolDelete = changeOfPools("pool-delete", "delete an inactive pool's storage; its definition stays", {
  parameters: {},
  task: "delete",
  isLong: true,
  done: (name) => `Pool ${name} deleted`,
  change: () => (pool, call) => pool.delete(call),
});

export const poolUndefine = changeOfPools("pool-undefine", "undefine an inactive pool; its storage stays", {
  parameters: {},
  task: "undefine",
  isLong: false,
  done: (name) => `Pool ${name} has been undefined`,
  change: () => (pool, call) => pool.undefine(call),
});

export const poolRefresh = changeOfPools("pool-refresh", "refresh a pool: look again at what is in it", {
  parameters: {},
  task: "refresh",
  isLong: true,
  done: (name) => `Pool ${name} refreshed`,
  change: () => (pool, call) => pool.refresh(call),
});

export const poolAutostart = changeOfPools("pool-autostart", "autostart a pool together with the daemon", {
  parameters: { disable: flag("disable autostarting") },
  task: "mark",
  isLong: false,
  done: (name, { disable }) => `Pool ${name} ${disable ? "unmarked" : "marked"} as autostarted`,
  change:
    ({ disable }) =>
    (pool, call) =>
      pool.setAutostart(!disable, call),
});

interface Change<Own extends ParameterTable> {
  readonly parameters: Own;
  /** The verb of "Failed to start pool images". */
  readonly task: string;
  /** The server does it as a job. */
  readonly isLong: boolean;
  /** Of what takes volumes away from guests. */
  evenIfDefined?(values: ValuesOf<Own>): boolean;
  /** What cancelling leaves, where that is not the same for all jobs of the kind. */
  left?(values: ValuesOf<Own>): string | undefined;
  /** Of the pool as it was called. */
  done(name: string, values: ValuesOf<Own>): string;
  /** Refuses what makes no sense together, before anything is done. */
  change(values: ValuesOf<Own>): (pool: Pool, call: CallOptions) => Promise<void>;
}

/** A command that does one thing to one or more pools, one after the other. */
function changeOfPools<Own extends ParameterTable>(name: string, summary: string, spec: Change<Own>): Command {
  return command({
    name,
    summary,
    parameters: { pool: poolsParameter, ...spec.parameters } as ParameterTable,
    async run(context, values) {
      const change = spec.change(values as ValuesOf<Own>);
      const evenIfDefined = spec.evenIfDefined?.(values as ValuesOf<Own>);
      await context.withConnection(async (connection) => {
        if (evenIfDefined !== undefined) await spareDefined(connection, evenIfDefined, context.call);
        for (const wanted of values["pool"] as readonly string[]) {
          const pool = await findPool(connection, wanted, context.call);
          const subject = { pool: pool.name, volume: null, left: spec.left?.(values as ValuesOf<Own>) };
          await attempt(
            `Failed to ${spec.task} pool ${wanted}`,
            () =>
              spec.isLong
                ? withProgress(context, connection, subject, (call) => change(pool, call))
                : change(pool, context.call),
            subject,
          );
          const facts = { pool: pool.name, uuid: pool.uuid };
          context.printDone(spec.done(printable(wanted), values as ValuesOf<Own>), facts);
        }
      });
    },
  });
}

function refuseBoth({ overwrite, "no-overwrite": keep }: { overwrite: boolean; "no-overwrite": boolean }): void {
  if (overwrite && keep) throw new UsageError("Options --overwrite and --no-overwrite are mutually exclusive");
}
