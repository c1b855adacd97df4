// A pool's whole life, with what goes wrong on the way: errors have libvirt's codes.

import { join } from "node:path";
import { ErrorCode, LibvirtError } from "@cistern/client";
import { directoryPool, example, withDirectory } from "./example.js";

async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    console.log(`${what}: done`);
  } catch (error) {
    // Anything else is a mistake in this program.
    if (!(error instanceof LibvirtError)) throw error;
    const isRefusal = error.code === ErrorCode.OPERATION_INVALID;
    console.log(`${what}: ${isRefusal ? "refused" : "failed"}, code ${error.code}, ${error.message}`);
  }
}

await example(async (connection) => {
  await withDirectory(async (directory) => {
    const pool = await connection.definePool(directoryPool("example", join(directory, "pool")));
    await attempt("start what is not built", () => pool.start());
    await attempt("build", () => pool.build());
    await attempt("start", () => pool.start());
    await attempt("start again", () => pool.start());
    await attempt("refresh", () => pool.refresh());
    await attempt("undefine while it runs", () => pool.undefine());
    console.log(`it was defined ${(await pool.isPersistent()) ? "for good" : "until it stops"}`);
    await attempt("stop", () => pool.stop());
    await attempt("delete its storage", () => pool.delete());
    await attempt("undefine", () => pool.undefine());
    await attempt("ask it once more", async () => void (await pool.info()));
  });
});
