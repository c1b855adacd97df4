// What this project cannot do without, said before anything else fails for it.

const OLDEST_NODE = [20, 19];

/** Ends the process with advice where the platform or Node does not suffice. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = OLDEST_NODE;
  if (process.platform !== "linux") fail(`Cistern runs on Linux; this is ${process.platform}.`);
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    fail(`Cistern needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}.`);
  }
}

/**
 * @param {string} message
 * @returns {never}
 */
export function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
