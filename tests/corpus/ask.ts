import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
  const child = side.namespace.run("/usr/bin/python3", [ANSWERS], {
    env: {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      LC_ALL: "C.UTF-8",
      PYTHONPATH: LIBRARY,
      PYTHONDONTWRITEBYTECODE: "1",
      COMPAT_WORK: side.workPlace,
      COMPAT_URI: `qemu+unix:///system?socket=${side.socket}`,
      COMPAT_URI_RO: `qemu+unix:///system?socket=${side.socketReadOnly}`,
      COMPAT_ETC: join(side.root, "etc"),
      COMPAT_RUN: join(side.root, "run"),
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  const timer = setTimeout(() => child.kill("SIGKILL"), ASK_TIMEOUT_MS);
  let output = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end(JSON.stringify(questions));
  await ended;
  clearTimeout(timer);
  if (child.exitCode !== 0) throw new Error(`the documents could not be asked about: ${complaint}`);
  return JSON.parse(output) as Answers;
}
