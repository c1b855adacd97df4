import { directoryDriver } from "../../dist/drivers/directory.js";
import { complies } from "./compliance.js";
import { pool, volume } from "./documents.js";

complies("dir", {
  driver: directoryDriver,
  pool: async (laboratory) => pool("dir", laboratory.path("images")),
  volume: (name) => volume(name, { capacityBytes: 1_048_576n, allocationBytes: 0n }),
});

complies("dir with qcow2 volumes", {
  driver: directoryDriver,
  pool: async (laboratory) => pool("dir", laboratory.path("images")),
  volume: (name) => volume(name, { capacityBytes: 1_048_576n, allocationBytes: 0n, format: "qcow2" }),
});
