import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loopDisk } from "./loop.js";
import { loadModules } from "./modules.js";
import { attempt, run, runDaemon, waitFor } from "./run.js";

/** glusterd takes no brick of 127.0.0.1 from itself. */
export const GLUSTER_HOST = "127.0.0.2";
const STATE = "/srv/gluster";
const BRICKS = join(STATE, "bricks");
const DISK_BYTES = 512 * 1024 * 1024;

/**
 * Starts glusterd, and volumes of one brick each. Once in a guest's life.
 *
 * @returns the directory in the guest that lies behind a volume; gluster keeps a directory ".glusterfs" of its own there
 */
export async function startGluster(volumes: readonly string[]): Promise<(volume: string) => string> {
  loadModules("fuse");
  // Bricks need extended attributes of every kind.
  const { device } = loopDisk(DISK_BYTES);
  run("mkfs.ext4", ["-q", "-I", "512", device]);
  for (const place of [BRICKS, ...["work", "log", "run"].map((name) => join(STATE, name)), "/var/log/glusterfs"]) {
    mkdirSync(place, { recursive: true });
  }
  run("mount", [device, BRICKS]);
  const configuration = join(STATE, "glusterd.vol");
  writeFileSync(
    configuration,
    `volume management
  type mgmt/glusterd
  option working-directory ${STATE}/work
  option run-directory ${STATE}/run
  option transport-type socket
  option transport.address-family inet
  option transport.socket.bind-address ${GLUSTER_HOST}
  option ping-timeout 0
  option event-threads 1
end-volume
`,
  );
  runDaemon("glusterd", ["-f", configuration, "-p", `${STATE}/run/glusterd.pid`, "-l", `${STATE}/log/glusterd.log`]);
  await waitFor("glusterd's answer", () => gluster("volume", "list").status === 0, 60_000);
  for (const volume of volumes) {
    for (const args of [
      ["create", volume, `${GLUSTER_HOST}:${join(BRICKS, volume)}`, "force"],
      ["set", volume, "server.allow-insecure", "on"],
      ["start", volume],
    ]) {
      const { status, stdout, stderr } = gluster("volume", ...args);
      if (status !== 0) throw new Error(`gluster volume ${args.join(" ")} ended with ${status}: ${stderr}${stdout}`);
    }
  }
  return (volume) => join(BRICKS, volume);
}

/** By glusterd's own socket: whoever comes from a host may only ask. */
function gluster(...args: readonly string[]) {
  return attempt("gluster", ["--mode=script", ...args], { timeoutMs: 120_000 });
}
