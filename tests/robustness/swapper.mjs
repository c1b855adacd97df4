// Swaps what is at a path with a symlink, as fast as it can, until it is ended.
// Arguments: the path, where the symlink leads. One line on stdout when it has begun.
//
// Runs as a process of its own (node swapper.mjs PATH TARGET): it must not wait for the tests' event loop.

import { renameSync, symlinkSync } from "node:fs";

const [path, target] = process.argv.slice(2);
if (path === undefined || target === undefined) throw new Error("usage: swapper.mjs PATH TARGET");

symlinkSync(target, `${path}.link`);
process.stdout.write("swapping\n");
for (;;) {
  attempt(path, `${path}.real`);
  attempt(`${path}.link`, path);
  attempt(path, `${path}.link`);
  attempt(`${path}.real`, path);
}

/**
 * What is swapped may have been deleted, or made anew, in between.
 * @param {string} from
 * @param {string} to
 */
function attempt(from, to) {
  try {
    renameSync(from, to);
  } catch {}
}
