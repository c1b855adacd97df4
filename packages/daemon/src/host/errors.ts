import { constants } from "node:os";
import { HostError, type HostStep } from "./host.js";

const codeByErrno = new Map<number, string>(Object.entries(constants.errno).map(([code, errno]) => [errno, code]));
// EOPNOTSUPP and ENOTSUP are one number on Linux, as EAGAIN and EWOULDBLOCK are; the first names are the usual ones.
codeByErrno.set(constants.errno.EOPNOTSUPP, "EOPNOTSUPP");
codeByErrno.set(constants.errno.EAGAIN, "EAGAIN");

/** EUCLEAN, ESTALE and a few more have no name in Node's table. */
const furtherErrnos: Readonly<Record<string, number>> = { EUCLEAN: 117, EREMOTEIO: 121, ENOMEDIUM: 123, ESTALE: 116 };
for (const [code, errno] of Object.entries(furtherErrnos)) codeByErrno.set(errno, code);

export type ErrorCode = keyof typeof constants.errno | "ESTALE";

export function hostError(code: ErrorCode, message: string, cause?: unknown): HostError {
  const errno = code === "ESTALE" ? 116 : constants.errno[code];
  return new HostError(code, errno, `${message}: ${code}`, cause === undefined ? {} : { cause });
}

/** For a native call's errno. */
export function hostErrorOfErrno(errno: number, message: string, step?: HostStep): HostError {
  const code = codeByErrno.get(errno) ?? `E${errno}`;
  return new HostError(code, errno, `${message}: ${code}`, step === undefined ? {} : { step });
}

/** Anything thrown, as a HostError; Node's own errors keep their errno. */
export function hostErrorFrom(thrown: unknown): HostError {
  if (thrown instanceof HostError) return thrown;
  if (thrown instanceof Error && "errno" in thrown && typeof thrown.errno === "number" && "code" in thrown) {
    // libuv gives errno negated; errors of its own making (UNKNOWN, EOF) lie below -4000.
    const errno = Math.abs(thrown.errno);
    if (errno < 4_000)
      return new HostError(codeByErrno.get(errno) ?? String(thrown.code), errno, thrown.message, { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HostError("EIO", constants.errno.EIO, message, { cause: thrown });
}
