import { compareType } from "../comparison/compare-type.js";

compareType("zfs", { lane: "qemu", minutes: 10, zfs: true });
