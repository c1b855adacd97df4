import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect } from "@cistern/client";
import { cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { libvirtdUnavailable, prepareLibvirtd } from "../support/libvirtd.js";
import { startPool } from "./directory-pool.js";
import { makeImages } from "./images.js";
import type { Stage } from "./row.js";

const CHATTR_TIMEOUT_MS = 10_000;

/** Both daemons, each with its own directories, over the same images. */
export interface Sides extends AsyncDisposable {
  readonly cisternd: Stage;
  readonly libvirtd: Stage;
}

/** Why the bench cannot run here, or undefined when it can. */
export function sidesUnavailable(): string | undefined {
  return cisterndUnavailable() ?? libvirtdUnavailable();
}

/** `directory`: where everything lies, on the file system that is measured. */
export async function openSides(directory: string, volumes: number): Promise<Sides> {
  // Run backwards, whether opening succeeds or fails half-way.
  const undo: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const work = await mkdtemp(join(directory, "cistern-bench-"));
    undo.push(() => rm(work, { recursive: true, force: true }));
    await unrelatedSubdirectories(work);
    const images = join(work, "images");
    await makeImages(images, volumes);

    const open = async (name: string, prepare: typeof prepareCisternd | typeof prepareLibvirtd): Promise<Stage> => {
      const root = join(work, name);
      const emptyPath = join(root, "empty");
      await mkdir(emptyPath, { recursive: true });
      const side = await prepare(root);
      undo.push(() => side.close());
      await side.daemon.start();
      const connection = await connect(`storage+unix:///system?socket=${side.socket}`, { keepalive: false });
      undo.push(() => connection.close());
      const full = await startPool(connection, "full", images);
      const empty = await startPool(connection, "empty", emptyPath);
      const again = async () => {
        const another = await connect(`storage+unix:///system?socket=${side.socket}`, { keepalive: false });
        undo.push(() => another.close());
        return another;
      };
      const { pid } = side.daemon;
      return { name, connection, connect: again, pid, full, fullPath: images, volumes, empty, emptyPath };
    };
    const cisternd = await open("cisternd", prepareCisternd);
    const libvirtd = await open("libvirtd", prepareLibvirtd);
    return { cisternd, libvirtd, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * ext4 lays a directory's files beside it, and looks at every inode there that was deleted within the last five minutes
 * before it takes another: thousands of files of a row before, or of a bench before, would make each new file of this one
 * slower by up to a millisecond. Directories that have nothing to do with each other, as on a host, lie apart. Other file
 * systems do not know the attribute, nor need it.
 */
async function unrelatedSubdirectories(directory: string): Promise<void> {
  await promisify(execFile)("chattr", ["+T", directory], { timeout: CHATTR_TIMEOUT_MS }).catch(() => {});
}
