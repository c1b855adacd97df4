export { ExitStatus } from "./exit-status.js";
export { run } from "./program.js";
export { realSurroundings, type Surroundings } from "./surroundings.js";
