import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNamespace } from "../compatibility/run-in-namespace.js";
import type { Side } from "../compatibility/side.js";

const LIBRARY = fileURLToPath(new URL("../compatibility/lib", import.meta.url));
const ANSWERS = fileURLToPath(new URL("answers.py", import.meta.url));
const ASK_TIMEOUT_MS = 200_000;

export interface Questions {
  readonly pools?: Readonly<Record<string, string>>;
  readonly volumes?: Readonly<Record<string, string>>;
  readonly backing?: readonly string[];
}

export interface Answers {
  readonly pools: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly volumes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly backing: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Puts documents to a side's daemon, in the way in which the corpus was recorded. */
export async function ask(side: Side, questions: Questions): Promise<Answers> {
  const env = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    LC_ALL: "C.UTF-8",
    PYTHONPATH: LIBRARY,
    PYTHONDONTWRITEBYTECODE: "1",
    COMPAT_WORK: side.workPlace,
    COMPAT_URI: `qemu+unix:///system?socket=${side.socket}`,
    COMPAT_URI_RO: `qemu+unix:///system?socket=${side.socketReadOnly}`,
    COMPAT_ETC: join(side.root, "etc"),
    COMPAT_RUN: join(side.root, "run"),
  };
  const input = JSON.stringify(questions);
  const output = await runInNamespace(side.namespace, "/usr/bin/python3", [ANSWERS], env, input, ASK_TIMEOUT_MS);
  return JSON.parse(output) as Answers;
}
