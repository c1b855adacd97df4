import { parentPort, workerData } from "node:worker_threads";
import { LibvirtError } from "@cistern/protocol";
import { type ParseRequest, parse } from "./parse.js";
import type { ParseAnswer } from "./parse-in-worker.js";

parentPort?.postMessage(answer(workerData as ParseRequest));

function answer(request: ParseRequest): ParseAnswer {
  try {
    return { document: parse(request) };
  } catch (error) {
    const { code, domain, str2, message } = LibvirtError.from(error);
    return {
      refusal: { code, domain, detail: str2 ?? message } as Extract<ParseAnswer, { refusal: unknown }>["refusal"],
    };
  }
}
