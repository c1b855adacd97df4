import { getSystemErrorMap } from "node:util";

/** What a command does with a file of the user's own machine. */
type Deed = "read" | "write";

/** Does `work` with a local file; a failure says what was being done, to which file, and why, without Node's words for it. */
export async function withLocalFile<Result>(deed: Deed, path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    const reason = getSystemErrorMap().get(errno)?.[1] ?? code;
    throw new Error(`cannot ${deed} the file '${path}': ${reason}`, { cause: error });
  }
}
