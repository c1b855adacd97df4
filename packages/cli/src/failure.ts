import { LibvirtError } from "@cistern/protocol";

/** What went wrong, with what the command was about to do and what may help, where that is known. The cause has the reason. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** "Failed to start pool images"; null: nothing to add. */
  readonly task: string | null;
  readonly hint: string | null;

  constructor(cause: unknown, { task = null, hint = null }: { task?: string | null; hint?: string | null }) {
    super(messageOf(cause), { cause });
    this.task = task;
    this.hint = hint;
  }
}

/** All that is known of an error, whatever was thrown. */
export interface FailureFacts {
  readonly reason: string;
  readonly task: string | null;
  readonly hint: string | null;
  readonly libvirt: LibvirtError | null;
  readonly cause: unknown;
}

export function factsOf(error: unknown): FailureFacts {
  if (!(error instanceof Failure)) {
    const libvirt = error instanceof LibvirtError ? error : null;
    return { reason: messageOf(error), task: null, hint: null, libvirt, cause: error };
  }
  const inner = factsOf(error.cause);
  return { ...inner, task: error.task ?? inner.task, hint: error.hint ?? inner.hint };
}

/** Does `work`; a failure says what was being done. */
export async function attempt<Result>(task: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new Failure(error, { task });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
