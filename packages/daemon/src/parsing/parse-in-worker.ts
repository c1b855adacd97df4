import { Worker } from "node:worker_threads";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { ParseRequest } from "./parse.js";

/** What the worker answers: the document, or the refusal's parts (an Error loses its own fields on the way). */
export type ParseAnswer =
  | { readonly document: unknown }
  | { readonly refusal: { readonly code: ErrorCode; readonly domain: ErrorDomain; readonly detail: string } };

let running = 0;
const waiting: (() => void)[] = [];

/** A worker per long document, at most a few at once, ended at the deadline. Long documents are rare and suspicious. */
export async function parseInWorker(request: ParseRequest): Promise<unknown> {
  if (running >= limits.parseWorkers) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    const answer = await answerOf(request);
    if ("document" in answer) return answer.document;
    throw LibvirtError.of(answer.refusal.code, answer.refusal.domain, answer.refusal.detail);
  } finally {
    running--;
    waiting.shift()?.();
  }
}

async function answerOf(request: ParseRequest): Promise<ParseAnswer> {
  const worker = new Worker(new URL("./parse-worker.js", import.meta.url), {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: limits.parseWorkerMemoryMiB },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ParseAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(tooLong()), limits.documentParseMs);
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(tooLong()));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function tooLong(): LibvirtError {
  return LibvirtError.of(
    ErrorCode.XML_ERROR,
    ErrorDomain.XML,
    "the document takes more time or memory to read than is allowed",
  );
}
