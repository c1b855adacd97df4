import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type BackingStore, mapLun, prepareTarget, TARGET, write } from "./lio.js";

export interface LioTarget {
  readonly iqn: string;
  /** Takes a LUN away from a target that may be in use, as an administrator would. */
  removeLun(lun: number): void;
  addLun(lun: number, store: BackingStore): void;
}

/**
 * An iSCSI target of the kernel that lets everybody in.
 *
 * @param portals addresses with port, such as 127.0.0.1:3260; two of them make two paths
 * @param stores in the order of their LUNs, from 0
 */
export function lioTarget(iqn: string, portals: readonly string[], stores: readonly BackingStore[]): LioTarget {
  prepareTarget("iscsi_target_mod");
  const group = join(TARGET, "iscsi", iqn, "tpgt_1");
  mkdirSync(join(TARGET, "iscsi"), { recursive: true });
  mkdirSync(group, { recursive: true });
  for (const attribute of [
    "authentication=0",
    "demo_mode_write_protect=0",
    "generate_node_acls=1",
    "cache_dynamic_acls=1",
  ]) {
    const [name = "", value = ""] = attribute.split("=");
    write(join(group, "attrib"), name, value);
  }
  for (const portal of portals) mkdirSync(join(group, "np", portal));
  const luns = new Map(stores.map((store, lun) => [lun, mapLun(group, lun, store)]));
  write(group, "enable", "1");
  return {
    iqn,
    removeLun(lun) {
      luns.get(lun)?.[Symbol.dispose]();
      luns.delete(lun);
    },
    addLun(lun, store) {
      luns.set(lun, mapLun(group, lun, store));
    },
  };
}
