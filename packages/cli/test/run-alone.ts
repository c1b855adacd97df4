import { Readable, Writable } from "node:stream";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { run, type Surroundings } from "../dist/index.js";

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What a connection was asked to; empty: the command line was refused before. */
  readonly targets: readonly string[];
}

/** Runs a command line where every connection fails: what is looked at happens before, or is that failure. */
export async function runAlone(args: readonly string[], changes: Partial<Surroundings> = {}): Promise<Result> {
  const written = { stdout: "", stderr: "" };
  const into = (name: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const targets: string[] = [];
  const status = await run(args, {
    stdout: into("stdout"),
    stderr: into("stderr"),
    stdin: Readable.from([]),
    environment: {},
    userId: 0,
    signal: new AbortController().signal,
    connect: async (target) => {
      targets.push(target);
      throw LibvirtError.of(ErrorCode.NO_CONNECT, ErrorDomain.REMOTE, target);
    },
    ...changes,
  });
  return { status, ...written, targets };
}
