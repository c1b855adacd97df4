import type { AutostartFailure, PoolCommitment } from "@cistern/client";
import { findPool } from "../lookup.js";
import { formatDuration } from "../output/duration.js";
import { formatSize } from "../output/size.js";
import { formatFacts, yesNo } from "../output/table.js";
import { ifCistern } from "../own-program.js";
import { command } from "./command.js";
import { flag, poolParameter } from "./parameters.js";

export const poolInfo = command({
  name: "pool-info",
  summary: "storage pool information",
  parameters: {
    pool: poolParameter,
    bytes: flag("return pool info in bytes"),
    details: flag("also type, path and volumes, and what only cisternd knows: what was promised, why it did not start"),
  },
  async run(context, { pool: name, bytes, details }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, name, context.call);
      const [info, autostart, persistent] = [
        await pool.info(context.call),
        await pool.autostart(context.call),
        await pool.isPersistent(context.call),
      ];
      const isRunning = info.state === "running" || info.state === "degraded";
      const { type, target } = await readPoolOf(await pool.xml({}, context.call));
      const volumes = isRunning ? (await pool.listVolumes(context.call)).length : null;
      const commitment = isRunning ? await ifCistern(() => connection.poolCommitment(pool, context.call)) : null;
      const failure = isRunning ? null : await ifCistern(() => connection.autostartFailure(pool, context.call));
      const facts = { name: pool.name, uuid: pool.uuid, ...info, autostart, persistent };
      const more = { type, targetPath: target.path, volumes, commitment, autostartFailure: failure };
      const size = (value: bigint) => (isRunning ? (bytes ? String(value) : formatSize(value)) : null);
      context.printResult({ ...facts, ...more }, () =>
        formatFacts({
          Name: pool.name,
          UUID: pool.uuid,
          State: info.state,
          Persistent: yesNo(persistent),
          Autostart: yesNo(autostart),
          Capacity: size(info.capacityBytes),
          Allocation: size(info.allocationBytes),
          Available: size(info.availableBytes),
          ...(details ? detailsOf(more) : {}),
        }),
      );
    });
  },
});

interface Details {
  readonly type: string;
  readonly targetPath: string | null;
  readonly volumes: number | null;
  readonly commitment: PoolCommitment | null;
  readonly autostartFailure: AutostartFailure | null;
}

function detailsOf(details: Details): Readonly<Record<string, string | null>> {
  const { type, targetPath, volumes, commitment, autostartFailure: failure } = details;
  return {
    Type: type,
    Target: targetPath,
    Volumes: volumes === null ? null : String(volumes),
    Promised: commitment === null ? null : formatCommitment(commitment),
    "Not started": failure === null ? null : failure.error.message,
    Attempts: failure === null ? null : formatAttempts(failure),
  };
}

// The documents package brings an XML parser along: it is loaded only where a document is read.
async function readPoolOf(xml: string) {
  const { readPool } = await import("@cistern/documents");
  return readPool(xml);
}

/** "3, the next in 14 s". */
function formatAttempts({ attempts, nextAttemptAt }: AutostartFailure): string {
  if (nextAttemptAt === null) return `${attempts}, which is under way`;
  const seconds = Math.max(0, (nextAttemptAt.getTime() - Date.now()) / 1000);
  return `${attempts}, the next in ${formatDuration(seconds)}`;
}

/** "30.00 GiB (150 % of the capacity; the daemon warns above 120 %, refuses above 200 %)". */
function formatCommitment({ promisedBytes, capacityBytes, warnRatio, refuseRatio }: PoolCommitment): string {
  const share = capacityBytes === 0n ? null : `${(promisedBytes * 100n) / capacityBytes} % of the capacity`;
  const thresholds = [
    warnRatio === null ? null : `warns above ${percent(warnRatio)}`,
    refuseRatio === null ? null : `refuses above ${percent(refuseRatio)}`,
  ].filter((text) => text !== null);
  const facts = [share, thresholds.length === 0 ? null : `the daemon ${thresholds.join(", ")}`];
  const more = facts.filter((text) => text !== null).join("; ");
  return more === "" ? formatSize(promisedBytes) : `${formatSize(promisedBytes)} (${more})`;
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
