import type { Volume } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";

/** What a call is about. */
export interface Subject {
  readonly pool: string;
  /** null: the pool itself; undefined: a volume whose name only the server knows. */
  readonly volume?: string | null | undefined;
}

interface Details {
  readonly task?: string | null;
  readonly hint?: string | null;
  readonly subject?: Subject | null;
}

/** What went wrong, with what the command was about to do and what may help, where that is known. The cause has the reason. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** "Failed to start pool images"; null: nothing to add. */
  readonly task: string | null;
  readonly hint: string | null;
  /** For hints that name it; null: not known. */
  readonly subject: Subject | null;

  constructor(cause: unknown, { task = null, hint = null, subject = null }: Details) {
    super(messageOf(cause), { cause });
    this.task = task;
    this.hint = hint;
    this.subject = subject;
  }
}

/** All that is known of an error, whatever was thrown. */
export interface FailureFacts {
  readonly reason: string;
  readonly task: string | null;
  readonly hint: string | null;
  readonly subject: Subject | null;
  readonly libvirt: LibvirtError | null;
  readonly cause: unknown;
}

export function factsOf(error: unknown): FailureFacts {
  if (!(error instanceof Failure)) {
    const libvirt = error instanceof LibvirtError ? error : null;
    return { reason: messageOf(error), task: null, hint: null, subject: null, libvirt, cause: error };
  }
  const inner = factsOf(error.cause);
  const { task, hint, subject } = error;
  return { ...inner, task: task ?? inner.task, hint: hint ?? inner.hint, subject: subject ?? inner.subject };
}

/** Does `work`; a failure says what was being done, and to what. */
export async function attempt<Result>(
  task: string,
  work: () => Promise<Result>,
  subject: Subject | null = null,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new Failure(error, { task, subject });
  }
}

/** Asks something of a volume that was found; it may have vanished since. */
export async function attemptOn<Result>(
  { poolName: pool, name: volume }: Volume,
  task: string,
  work: () => Promise<Result>,
): Promise<Result> {
  return attempt(task, work, { pool, volume });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
