// The ready pool of `npm start`, made through the client as anybody would.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** libvirt's code for "Storage pool not found". */
const NO_STORAGE_POOL = 49;

/**
 * Defines, builds and starts the directory pool "default", as far as that has not been done by an earlier start.
 *
 * @param {string} project
 * @param {string} uri
 * @param {string} target the pool's directory
 */
export async function ensureDefaultPool(project, uri, target) {
  // Not an import at the top: before the build there is nothing to import.
  /** @type {typeof import("@cistern/client")} */
  const { connect } = await import(pathToFileURL(join(project, "packages/client/dist/index.js")).href);
  const connection = await connect(uri);
  try {
    const pool = await lookUp(connection);
    if (pool !== null && (await pool.isActive())) return;
    const ready = pool ?? (await connection.definePool(definition(target)));
    await ready.build();
    await ready.start();
    await ready.setAutostart(true);
  } finally {
    await connection.close();
  }
}

/** @param {import("@cistern/client").Connection} connection */
async function lookUp(connection) {
  try {
    return await connection.lookupPool("default");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === NO_STORAGE_POOL) return null;
    throw error;
  }
}

/** @param {string} target */
function definition(target) {
  const path = target.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<pool type='dir'><name>default</name><target><path>${path}</path></target></pool>`;
}
