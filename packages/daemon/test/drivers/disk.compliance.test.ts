import { basename } from "node:path";
import type { PoolDocument } from "@cistern/documents";
import { attachLoop, partitionRequirements } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { diskDriver } from "../../dist/drivers/disk.js";
import { complies } from "./compliance.js";
import { diskPool, volume } from "./documents.js";
import type { Laboratory } from "./laboratory.js";

const DISK_BYTES = 64 * 1024 * 1024;
/** What a cylinder has on a disk of 512 bytes a sector: to these sizes libvirt rounds on a disk labelled by DOS. */
const CYLINDER_BYTES = 255n * 2n * 512n;
const MIBIBYTE = 1_048_576n;

if (missing(partitionRequirements) === null) {
  const names = (pool: PoolDocument): [string, string] => {
    const device = basename(pool.source.devices[0]?.path ?? "");
    return [`${device}p1`, `${device}p2`];
  };
  const diskOf = (laboratory: Laboratory) => laboratory.keep(attachLoop(DISK_BYTES, { hasPartitions: true })).device;

  complies("disk, gpt", {
    driver: diskDriver,
    pool: async (laboratory) => diskPool(diskOf(laboratory), "gpt"),
    volume: (name) => volume(name, { capacityBytes: 5n * MIBIBYTE, format: "none" }),
    names,
    hasOverhead: true,
  });

  complies("disk, dos", {
    driver: diskDriver,
    pool: async (laboratory) => diskPool(diskOf(laboratory), "dos"),
    // The first begins 1,024 bytes into a cylinder, and ends with one.
    volume: (name) => volume(name, { capacityBytes: 20n * CYLINDER_BYTES - 1_024n, format: "linux" }),
    names,
    hasOverhead: true,
  });
}
