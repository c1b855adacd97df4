import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { libvirtdUnavailable, prepareLibvirtd } from "../support/libvirtd.js";
import { mountNamespacesUnavailable } from "../support/mount-namespace.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { CISTERN, type Ended, runCistern } from "./cistern.js";

const DEADLINE_MS = 20_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;

/** A daemon that listens. */
interface Listening {
  readonly socket: string;
  close(): Promise<unknown>;
}

/** A directory of a test file's own, with a daemon in it, from the file's first test to its last. */
export class Stage {
  root = "";
  socket = "";

  readonly path = (...names: string[]): string => join(this.root, ...names);

  /** In this process. */
  readonly cistern = (args: readonly string[], settings: Parameters<typeof runCistern>[1] = {}): Promise<Ended> =>
    runCistern(["-c", this.socket, ...args], settings);

  /** The program itself: its own process, its exit status, its output. */
  readonly program = (args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> => {
    const env = { ...process.env, CISTERN_URI: this.socket, ...environment };
    return new Promise((resolve) => {
      const options = { timeout: DEADLINE_MS, env, maxBuffer: OUTPUT_BYTES };
      execFile(process.execPath, [CISTERN, ...args], options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      });
    });
  };
}

interface Settings {
  /** Why there can be none; the tests are skipped then. */
  readonly unavailable?: string | undefined;
  /** Starts the daemon in the directory. */
  readonly open?: (root: string) => Promise<Listening>;
  /** Once it listens. */
  readonly prepare?: (stage: Stage) => Promise<void>;
}

/** Says it for all tests of the file, or of the `describe` that it stands in. */
export function stage({ unavailable = cisterndUnavailable(), open = rooted, prepare }: Settings = {}): Stage {
  const staged = new Stage();
  let daemon: Listening | undefined;
  beforeAll(async () => {
    if (unavailable !== undefined) return;
    staged.root = await mkdtemp(join(tmpdir(), "cl-"));
    daemon = await open(staged.root);
    staged.socket = daemon.socket;
    await prepare?.(staged);
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    await daemon?.close();
    if (staged.root !== "") await rm(staged.root, { recursive: true, force: true });
  });
  return staged;
}

async function rooted(root: string): Promise<Listening> {
  const daemon = await RootedDaemon.prepare(join(root, "d"));
  await daemon.start();
  return { socket: daemon.socket, close: () => daemon.stop() };
}

/** For daemons that are prepared with a mount namespace of their own. */
export function inNamespace(
  prepare: (root: string) => Promise<Listening & { readonly daemon: { start(): Promise<void> } }>,
): (root: string) => Promise<Listening> {
  return async (root) => {
    const side = await prepare(root);
    try {
      await side.daemon.start();
      return side;
    } catch (error) {
      await side.close();
      throw error;
    }
  };
}

/** cisternd and a real libvirtd, for tests that both have to pass. */
export const BOTH_DAEMONS = [
  {
    name: "cisternd",
    unavailable: cisterndUnavailable() ?? mountNamespacesUnavailable(),
    open: inNamespace(prepareCisternd),
    isCistern: true,
  },
  { name: "libvirtd", unavailable: libvirtdUnavailable(), open: inNamespace(prepareLibvirtd), isCistern: false },
];
