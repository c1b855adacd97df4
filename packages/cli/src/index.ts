export { realSurroundings, type Surroundings } from "./context.js";
export { ExitStatus } from "./exit-status.js";
export { run } from "./program.js";
