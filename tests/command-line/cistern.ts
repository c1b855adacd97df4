import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { realSurroundings, run } from "../../packages/cli/dist/index.js";

/** The program itself, as it is installed. */
export const CISTERN = fileURLToPath(new URL("../../packages/cli/bin/cistern.js", import.meta.url));

const DEADLINE_MS = 60_000;

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line without the start of a process, which takes long. With `columns` both outputs are a terminal. */
export async function runCistern(
  args: readonly string[],
  settings: {
    readonly columns?: number | undefined;
    readonly signal?: AbortSignal;
    readonly stdin?: NodeJS.ReadableStream;
  } = {},
): Promise<Ended> {
  const { columns, signal = AbortSignal.timeout(DEADLINE_MS) } = settings;
  const surroundings = realSurroundings(signal);
  const stdin = settings.stdin ?? surroundings.stdin;
  const written = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const into = (chunks: Buffer[]) => {
    const stream = new Writable({
      write(chunk, _encoding, done) {
        chunks.push(Buffer.from(chunk));
        done();
      },
    });
    return columns === undefined ? stream : Object.assign(stream, { isTTY: true, columns });
  };
  const [stdout, stderr] = [into(written.stdout), into(written.stderr)];
  const status = await run(args, { ...surroundings, stdin, stdout, stderr });
  return { status, stdout: Buffer.concat(written.stdout).toString(), stderr: Buffer.concat(written.stderr).toString() };
}
