import { ownArgumentBytes } from "./damaged-arguments.js";
import { ExitStatus } from "./exit-status.js";
import { run } from "./program.js";
import { realSurroundings } from "./surroundings.js";

/** The first signal asks the command to end, the second ends the process. */
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());

// Whoever reads the output may have had enough (`cistern pool-list | head -1`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(ExitStatus.OK);
});

process.exitCode = await run(process.argv.slice(2), {
  ...realSurroundings(interruption.signal),
  argumentBytes: ownArgumentBytes,
});
