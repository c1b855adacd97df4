import { UsageError } from "../exit-status.js";
import { LARGEST_SIZE_BYTES, parseSize } from "../output/size.js";
import type { Completion, Parameter } from "./command.js";

interface Details {
  readonly placeholder?: string;
  readonly completes?: Completion;
  readonly isNamedOnly?: boolean;
}

export function flag(help: string): Parameter<boolean> {
  const read = (words: readonly string[]): boolean => words.length > 0;
  return { help, placeholder: null, isRequired: false, isNamedOnly: true, takesMany: false, completes: null, read };
}

/** What two opposite flags ask for; both or none: it does not matter. */
export function either(yes: boolean, no: boolean): boolean | undefined {
  return yes === no ? undefined : yes;
}

/** A text that must be said. */
export function text(help: string, details: Details = {}): Parameter<string> {
  return { ...parameter(help, details, ([word]) => word ?? ""), isRequired: true };
}

/** One or more texts. */
export function texts(help: string, details: Details = {}): Parameter<readonly string[]> {
  return { ...parameter(help, details, (words) => words), isRequired: true, takesMany: true };
}

export function optionalText(help: string, details: Details = {}): Parameter<string | null> {
  return parameter(help, details, ([word]) => word ?? null);
}

/** Any number of texts. */
export function optionalTexts(help: string): Parameter<readonly string[]> {
  return { ...parameter(help, {}, (words) => words), takesMany: true };
}

/** One of a few words, which must be said. */
export function choice<const Word extends string>(help: string, choices: readonly Word[]): Parameter<Word> {
  return { ...parameter(help, { completes: choices }, ([word]) => choose(word ?? "", choices)), isRequired: true };
}

export function optionalChoice<const Word extends string>(
  help: string,
  choices: readonly Word[],
): Parameter<Word | null> {
  return parameter(help, { completes: choices }, ([word]) => (word === undefined ? null : choose(word, choices)));
}

export function optionalSize(help: string): Parameter<bigint | null> {
  return parameter(help, { placeholder: "size" }, ([word]) => (word === undefined ? null : readSize(word)));
}

/** A size that must be said. */
export function size(help: string): Parameter<bigint> {
  return { ...parameter(help, { placeholder: "size" }, ([word]) => readSize(word ?? "")), isRequired: true };
}

/** A positive whole number that must be said. */
export function count(help: string, details: Details = {}): Parameter<number> {
  return {
    ...parameter(help, { placeholder: "number", ...details }, ([word]) => readCount(word ?? "")),
    isRequired: true,
  };
}

export function optionalCount(help: string, details: Details = {}): Parameter<number | null> {
  const read = ([word]: readonly string[]) => (word === undefined ? null : readCount(word));
  return parameter(help, { placeholder: "number", ...details }, read);
}

/** A size on the command line, in bytes. */
export function readSize(word: string): bigint {
  const bytes = parseSize(word);
  if (bytes === null) throw new UsageError(`"${word}" is not a size such as 10G, 500MB or 1073741824`);
  return refuseTooLarge(word, bytes);
}

/** The bytes that `word` means, if a size can be so large. */
export function refuseTooLarge(word: string, bytes: bigint): bigint {
  if (bytes <= LARGEST_SIZE_BYTES) return bytes;
  throw new UsageError(`"${word}" is too large: no size is above ${LARGEST_SIZE_BYTES} bytes, one less than 8 EiB`);
}

const LARGEST_COUNT = 999_999_999;

/** A positive whole number on the command line. */
export function readCount(word: string): number {
  const number = /^\d+$/.test(word) ? Number(word) : 0;
  if (number === 0) throw new UsageError(`"${word}" is not a whole number above 0`);
  if (number > LARGEST_COUNT) throw new UsageError(`"${word}" is too large: no number is above ${LARGEST_COUNT}`);
  return number;
}

/** Parameters that many commands have. */
export const poolParameter = text("pool name or uuid", { completes: "pools" });
export const poolsParameter = texts("pool name or uuid", { completes: "pools" });
export const optionalPoolParameter = optionalText("pool name or uuid", { completes: "pools" });
export const volumeParameter = text("vol name, key or path", { completes: "volumes" });
export const evenIfDefinedParameter = flag("even if a guest that does not run is defined with it");
export const volumesParameter = texts("vol name, key or path", { completes: "volumes" });
function choose<Word extends string>(word: string, choices: readonly Word[]): Word {
  const found = choices.find((choice) => choice === word);
  if (found === undefined) throw new UsageError(`"${word}" is none of ${choices.join(", ")}`);
  return found;
}

function parameter<Value>(help: string, details: Details, read: Parameter<Value>["read"]): Parameter<Value> {
  const { placeholder = "string", completes = null, isNamedOnly = false } = details;
  return { help, placeholder, isRequired: false, isNamedOnly, takesMany: false, completes, read };
}
