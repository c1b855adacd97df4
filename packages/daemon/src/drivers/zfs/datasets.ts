import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Command, Host, RunOptions } from "../../host/host.js";
import { limits } from "../../limits.js";
import { isDatasetName, parseZpoolProperties, type ZpoolFacts, zpoolOf, zpoolProperties } from "../../tools/zfs.js";
import { runCommand } from "../shared/run-command.js";

/** States of a zpool in which its data can be read and written. */
const USABLE: ReadonlySet<string> = new Set(["ONLINE", "DEGRADED"]);

/** The pool's source: a zpool, or a dataset in one. */
export function datasetOf(pool: PoolDocument): string {
  const name = pool.source.name ?? pool.name;
  if (isDatasetName(name)) return name;
  throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `'${name}' is no name of a zpool or a dataset`);
}

/** The dataset of a volume: "tank/images/v1". */
export function zvolOf(pool: PoolDocument, { name }: Pick<VolumeDocument, "name">): string {
  const fullName = `${datasetOf(pool)}/${name}`;
  if (!name.includes("/") && isDatasetName(fullName)) return fullName;
  const text = `ZFS has no volumes of the name '${name}'`;
  throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
}

/**
 * Runs zpool or zfs, which have to succeed; gives what it printed. Commands that need a moment have a deadline: on a
 * suspended zpool they would wait in the kernel for ever.
 */
export function runZfs(host: Host, command: Command, options: RunOptions = {}): Promise<string> {
  return runCommand(host, command, { timeoutMs: limits.zfsCommandMs, ...options });
}

/** The zpool's sizes; a refusal when there is none, or its health is such that nothing can be kept in it. */
export async function usableZpool(dataset: string, host: Host, signal?: CancelSignal): Promise<ZpoolFacts> {
  const zpool = zpoolOf(dataset);
  const output = await runZfs(host, zpoolProperties(zpool), signal === undefined ? {} : { signal });
  const facts = parseZpoolProperties(output);
  if (facts.health !== null && USABLE.has(facts.health)) return facts;
  const text = `zpool '${zpool}' cannot be used: its health is ${facts.health ?? "not known"} (see "zpool status ${zpool}")`;
  throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text);
}
