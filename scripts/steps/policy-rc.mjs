// Debian asks /usr/sbin/policy-rc.d before a package starts a service. While tests' packages are installed it says no.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const OURS = "#!/bin/sh\n# Put here by Cistern's npm test for the minutes of an install; removed after it.\nexit 101\n";

/**
 * Runs `work` while no package may start a service; whatever stood at `path` before stands there again afterwards, also
 * after a signal. A file left by a run that was killed is put back first.
 *
 * @template Result
 * @param {() => Promise<Result>} work
 * @param {string} [path]
 * @returns {Promise<Result>}
 */
export async function withoutServices(work, path = "/usr/sbin/policy-rc.d") {
  const saved = `${path}.before-cistern`;
  const restore = () => {
    if (existsSync(saved)) renameSync(saved, path);
    else rmSync(path, { force: true });
  };
  if (existsSync(saved) || (existsSync(path) && readFileSync(path, "utf8") === OURS)) restore();
  if (existsSync(path)) renameSync(path, saved);
  process.once("exit", restore);
  try {
    writeFileSync(path, OURS, { mode: 0o755 });
    return await work();
  } finally {
    process.off("exit", restore);
    restore();
  }
}
