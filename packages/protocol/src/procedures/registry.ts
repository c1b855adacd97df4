import { PROGRAM } from "../frames/frame.js";
import { auth } from "./auth.js";
import { cistern, cisternEvents } from "./cistern.js";
import { connect } from "./connect.js";
import { domains } from "./domains.js";
import { events } from "./events.js";
import { other } from "./other.js";
import type { AnyMessage, AnyProcedure } from "./procedure.js";
import { secrets } from "./secrets.js";
import { storage } from "./storage.js";

/** Every procedure that is known here, of libvirt's REMOTE program and of Cistern's own, by its name in camel case. */
export const procedures = { ...connect, ...auth, ...storage, ...secrets, ...domains, ...other, ...cistern } as const;

const proceduresByProgram = byProgram(Object.values<AnyProcedure>(procedures));
const messagesByProgram = byProgram(Object.values<AnyMessage>({ ...events, ...cisternEvents }));

/** Whether this program has procedures here; others are refused with 39/7 `Cannot find program N version V`. */
export function isKnownProgram(program: number): boolean {
  return proceduresByProgram.has(program);
}

/** The procedure behind a packet's number; undefined: answer with 39/7 `unknown procedure: N`. */
export function procedureByNumber(number: number, program: number = PROGRAM.REMOTE): AnyProcedure | undefined {
  return proceduresByProgram.get(program)?.get(number);
}

/** The event behind a MESSAGE packet's number; undefined: a newer server's, to be ignored. */
export function messageByNumber(number: number, program: number = PROGRAM.REMOTE): AnyMessage | undefined {
  return messagesByProgram.get(program)?.get(number);
}

function byProgram<T extends { readonly program: number; readonly number: number }>(
  items: readonly T[],
): ReadonlyMap<number, ReadonlyMap<number, T>> {
  const programs = new Map<number, Map<number, T>>();
  for (const item of items) {
    const numbers = programs.get(item.program) ?? new Map<number, T>();
    programs.set(item.program, numbers.set(item.number, item));
  }
  return programs;
}
