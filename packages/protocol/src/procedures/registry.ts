import { auth } from "./auth.js";
import { connect } from "./connect.js";
import { events } from "./events.js";
import { other } from "./other.js";
import type { AnyMessage, AnyProcedure } from "./procedure.js";
import { secrets } from "./secrets.js";
import { storage } from "./storage.js";

/** Every procedure of the REMOTE program that is known here, by its name in camel case. */
export const procedures = { ...connect, ...auth, ...storage, ...secrets, ...other } as const;

const byNumber: ReadonlyMap<number, AnyProcedure> = new Map(
  Object.values<AnyProcedure>(procedures).map((procedure) => [procedure.number, procedure]),
);

const messagesByNumber: ReadonlyMap<number, AnyMessage> = new Map(
  Object.values<AnyMessage>(events).map((message) => [message.number, message]),
);

/** The procedure behind a packet's number; undefined: answer with 39/7 `unknown procedure: N`. */
export function procedureByNumber(number: number): AnyProcedure | undefined {
  return byNumber.get(number);
}

/** The event behind a MESSAGE packet's number; undefined: a newer server's, to be ignored. */
export function messageByNumber(number: number): AnyMessage | undefined {
  return messagesByNumber.get(number);
}
