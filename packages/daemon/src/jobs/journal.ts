import { randomBytes } from "node:crypto";
import { type Directory, HostError } from "../host/index.js";
import { type ChildProcessIdentity, JournalFailure, type Recorded, type Trace } from "./job.js";
import type { JobFacts } from "./job-facts.js";
import { encodeRecord, type JournalTrace } from "./journal-record.js";
import { LivingRecords } from "./living-records.js";

export interface Journal {
  /** On disk when the promise resolves. JournalFailure: it could not be written. */
  add(job: JobFacts, trace: Trace | ({ readonly kind: "child" } & ChildProcessIdentity)): Promise<Recorded>;
}

/** For tests, and for work that can leave nothing. */
export const NO_JOURNAL: Journal = { add: async () => ({ release: async () => null, keep: async () => {} }) };

const PRIVATE = 0o600;

/**
 * What a daemon that dies would leave behind, one small file each in the directory of state that outlives a reboot:
 *
 *     <random>.json     what is being done, by whom it was asked for, and what it leaves (journal-record.ts)
 *
 * A record is complete on disk before what it tells of is made, and is removed when that is gone or complete. A record
 * that cannot be read was cut off while it was written: then nothing had been made. That one was removed is not flushed:
 * a power cut may bring it back, which makes a finished job an interrupted one, and never the other way round.
 *
 * Records by which a file would be cut back are another matter. That they were removed is flushed: one that came back would
 * cut what was reported as complete. And their time is kept near (living-records.ts), by which recovery tells what their
 * daemon did to the file from what somebody did later.
 */
export class FileJournal implements Journal {
  readonly #directory: Directory;
  readonly #living: LivingRecords;
  readonly #problem: (text: string, error: unknown) => void;

  constructor(directory: Directory, problem: (text: string, error: unknown) => void) {
    this.#directory = directory;
    this.#living = new LivingRecords(directory);
    this.#problem = problem;
  }

  async add(job: JobFacts, trace: JournalTrace): Promise<Recorded> {
    const name = `${randomBytes(8).toString("hex")}.json`;
    const bytes = encodeRecord(job, trace);
    await this.#write(name, bytes, trace.kind).catch((thrown: unknown) => {
      throw thrown instanceof HostError ? new JournalFailure(this.#directory.path, job.title, thrown) : thrown;
    });
    const cuts = trace.kind === "content" && trace.sizeBytes !== null;
    if (cuts) this.#living.begin(name, bytes);
    // What is changed from now on was not changed by the job: its time does not go on.
    return { release: () => this.#release(name, cuts), keep: () => this.#living.end(name) };
  }

  async #write(name: string, bytes: Uint8Array, kind: JournalTrace["kind"]): Promise<void> {
    const file = await this.#directory.open(name, { access: "write", create: "exclusive", mode: PRIVATE });
    try {
      await file.write(0n, bytes);
      // A program dies with the daemon or with the machine: of the latter nothing has to be known.
      if (kind !== "child") {
        await file.sync();
        // Its name too: most file systems have written it by now, and then this costs next to nothing.
        await this.#directory.sync();
      }
    } catch (error) {
      await this.#directory.removeFile(name).catch(() => {});
      throw error;
    } finally {
      await file.close();
    }
  }

  async #release(name: string, cuts: boolean): Promise<Error | null> {
    try {
      await this.#living.end(name);
      await this.#directory.removeFile(name).catch(throwUnlessGone);
      // Also where somebody else has removed it: that may not be on the disk either.
      if (cuts) await this.#directory.sync();
    } catch (error) {
      this.#problem(`the record '${this.#directory.path}/${name}' could not be removed`, error);
      // By any other the next daemon finds nothing left to undo, and removes it.
      if (cuts) return error instanceof Error ? error : new Error(String(error));
    }
    return null;
  }
}

function throwUnlessGone(error: unknown): void {
  if (!(error instanceof HostError && error.code === "ENOENT")) throw error;
}
