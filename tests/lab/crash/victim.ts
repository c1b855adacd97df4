// What dies in a power cut: victim.js INSPECT RUN, each the name of an operation of tests/crash or "-". In a guest whose disks
// (ext4, xfs) outlive it, it starts a daemon on what the last guest left, looks whether that one's operation kept its promises,
// and does the next. The host reads its lines and cuts the power:
//
//   finding {"state": "after", "complaints": []}   of INSPECT
//   ready                                          everything is on the disk, and RUN begins
//   done                                           the client was told that it is done; "failed TEXT": that it is not

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFixtures } from "../../crash/fixtures.js";
import { OPERATIONS, type Operation } from "../../crash/operations.js";
import { Stage } from "../../crash/stage.js";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { untilMeasured } from "../guest/qemu-img.js";
import { requireGuest, run } from "../guest/run.js";

const DISKS = { ext4: "/mnt/ext4", xfs: "/mnt/xfs" } as const;
const ROOT = `${DISKS.ext4}/d`;
/** What lies in the daemon's own directories when nothing runs: written when the pools were made. */
const QUIET = `${DISKS.ext4}/quiet.json`;
/** The host cuts the power long before. */
const LINGER_MS = 300_000;

requireGuest();
const [inspect = "-", next = "-", ...devices] = process.argv.slice(2);
makeFixtures();
for (const [index, [type, place]] of Object.entries(DISKS).entries()) {
  mkdirSync(place, { recursive: true });
  run("mount", ["-t", type, devices[index] ?? "", place]);
}
const isFirst = !existsSync(QUIET);
const daemon = isFirst ? await RootedDaemon.prepare(ROOT) : new RootedDaemon(ROOT);
// As in a real boot, /run is empty.
mkdirSync(`${ROOT}/run`, { recursive: true });
run("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", `${ROOT}/run`]);
await daemon.start();
const stage = new Stage(daemon, DISKS);
if (isFirst) {
  await stage.set();
  writeFileSync(QUIET, JSON.stringify(stage.quiet));
} else {
  stage.quiet = JSON.parse(readFileSync(QUIET, "utf8")) as string[];
}

if (inspect !== "-") {
  const operation = named(inspect);
  say(`finding ${JSON.stringify(await stage.inspect(operation, await stage.scene(operation)))}`);
}
if (next !== "-") {
  const operation = named(next);
  const scene = await stage.prepare(operation);
  // From here on only what the daemon itself flushes is kept.
  run("sync");
  say("ready");
  try {
    await untilMeasured(() => operation.run(scene));
    say("done");
  } catch (error) {
    say(`failed ${(error as Error).message}`);
  }
  await sleep(LINGER_MS);
}
await daemon.stop();

function named(name: string): Operation {
  const operation = OPERATIONS.find((each) => each.name === name);
  if (operation === undefined) throw new Error(`there is no operation "${name}"`);
  return operation;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
