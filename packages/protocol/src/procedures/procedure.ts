import type { ErrorDomain } from "../error-codes.js";
import { PROGRAM } from "../frames/frame.js";
import type { Schema } from "../xdr/schema.js";

/** A call that a client makes, as a value that both sides use. */
export interface Procedure<Args, Result> {
  /** A `PROGRAM`: numbers are its own. */
  readonly program: number;
  readonly number: number;
  /** libvirt's name without its prefix: "STORAGE_POOL_LOOKUP_BY_NAME". Its key in the tables is that in camel case. */
  readonly name: string;
  readonly args: Schema<Args>;
  readonly result: Schema<Result>;
  /** Never waits for storage, so it may run on the workers that are kept free for such calls. */
  readonly priority: boolean;
  /** Refused on read-only connections. */
  readonly requiresWrite: boolean;
  /** The public C function behind it, which error messages name; of Cistern's own program a name in the same style. */
  readonly api: string;
  /** Who speaks in errors about the call as such. */
  readonly errorDomain: ErrorDomain;
  /** Fine-grained permissions, `object:permission`; with "~" in front, items without it are left out of a list. */
  readonly acl: readonly string[];
  /** A successful reply opens a stream on which data flows to the server (upload) or from it (download). */
  readonly stream?: "upload" | "download";
}

/** Any procedure, where its types do not matter. */
export type AnyProcedure = Procedure<unknown, unknown>;

/** What a server tells without being asked: an event. */
export interface Message<Payload> {
  /** A `PROGRAM`. */
  readonly program: number;
  readonly number: number;
  readonly name: string;
  readonly payload: Schema<Payload>;
}

export type AnyMessage = Message<unknown>;

/** A procedure of one family, with what most of them have in common filled in. */
export function procedureOf(errorDomain: ErrorDomain, program: number = PROGRAM.REMOTE) {
  return <Args, Result>(
    number: number,
    name: string,
    api: string,
    definition: {
      readonly args: Schema<Args>;
      readonly result: Schema<Result>;
      readonly acl: readonly string[];
      readonly priority?: boolean;
      readonly requiresWrite?: boolean;
      readonly stream?: "upload" | "download";
    },
  ): Procedure<Args, Result> => ({
    priority: false,
    requiresWrite: false,
    ...definition,
    program,
    number,
    name,
    api,
    errorDomain,
  });
}

export function messageOf(program: number) {
  return <Payload>(number: number, name: string, payload: Schema<Payload>): Message<Payload> => ({
    program,
    number,
    name,
    payload,
  });
}
