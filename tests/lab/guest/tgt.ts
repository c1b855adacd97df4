import { attempt, run, runDaemon, waitFor } from "./run.js";

export interface TgtTarget {
  readonly iqn: string;
  readonly id: number;
}

/** Starts tgtd, an iSCSI target in user space, on 127.0.0.1:3260. Once in a guest's life. */
export async function startTgt(): Promise<void> {
  runDaemon("tgtd", ["--iscsi", "portal=127.0.0.1:3260"]);
  await waitFor("tgtd's answer", () => attempt("tgtadm", command("show", "sys")).status === 0);
}

/**
 * A target with disks of its own, LUNs 1, 2 and so on (0 is tgt's controller).
 *
 * @param id unique number
 * @param account who may log in, by CHAP; without it everybody
 */
export function tgtTarget(
  id: number,
  iqn: string,
  sizesBytes: readonly number[],
  account?: { readonly user: string; readonly password: string },
): TgtTarget {
  const tid = ["--tid", String(id)];
  run("tgtadm", [...command("new", "target"), ...tid, "-T", iqn]);
  for (const [index, sizeBytes] of sizesBytes.entries()) tgtLun({ iqn, id }, index + 1, sizeBytes);
  if (account !== undefined) {
    run("tgtadm", [...command("new", "account"), "--user", account.user, "--password", account.password]);
    run("tgtadm", [...command("bind", "account"), ...tid, "--user", account.user]);
  }
  run("tgtadm", [...command("bind", "target"), ...tid, "-I", "ALL"]);
  return { iqn, id };
}

/** Adds a disk to a target, which initiators see after a rescan. */
export function tgtLun(target: TgtTarget, lun: number, sizeBytes: number): void {
  const file = `/tmp/tgt-${target.id}-${lun}`;
  run("truncate", ["-s", String(sizeBytes), file]);
  const place = ["--tid", String(target.id), "--lun", String(lun)];
  run("tgtadm", [...command("new", "logicalunit"), ...place, "-b", file]);
  const serial = `scsi_sn=LAB${String(target.id).padStart(2, "0")}${String(lun).padStart(2, "0")}`;
  run("tgtadm", [...command("update", "logicalunit"), ...place, "--params", `${serial},vendor_id=LAB,product_id=DISK`]);
}

/** Removes one from a target. */
export function removeTgtLun(target: TgtTarget, lun: number): void {
  run("tgtadm", [...command("delete", "logicalunit"), "--tid", String(target.id), "--lun", String(lun)]);
}

function command(operation: string, mode: string): readonly string[] {
  return ["--lld", "iscsi", "--op", operation, "--mode", mode];
}
