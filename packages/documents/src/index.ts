export * from "./errors.js";
export * from "./permissions.js";
export * from "./pool.js";
export * from "./units.js";
export * from "./uuid.js";
export * from "./volume.js";
