import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startNfsServer } from "../../guest/nfs.js";
import { startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const EXPORTS = ["/images", "/more"];
let directories: readonly string[] = [];

/** An NFS server on 127.0.0.1 with the empty exports /images and /more. */
export const preparation: Preparation = {
  setUp() {
    startUdev();
    const directoryOf = startNfsServer(EXPORTS.map((path) => ({ path })));
    directories = EXPORTS.map(directoryOf);
  },

  renew: () => ({
    environment: { HOST: "127.0.0.1", SERVED: directories[0] ?? "" },
    end() {
      for (const directory of directories) {
        for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
      }
    },
  }),
};
