export * from "./errors.js";
export * from "./permissions.js";
export * from "./pool.js";
export * from "./volume.js";
