import { once } from "node:events";
import type { MountNamespace } from "../support/mount-namespace.js";

const RUN_TIMEOUT_MS = 60_000;

/**
 * Runs a program inside a mount namespace to its end; its stdout.
 *
 * @throws when it ends with another status than 0, with what it wrote to stderr
 */
export async function runInNamespace(
  namespace: MountNamespace,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input = "",
  timeoutMs = RUN_TIMEOUT_MS,
): Promise<string> {
  const child = namespace.run(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "close");
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  let output = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  await ended;
  clearTimeout(timer);
  if (child.exitCode !== 0)
    throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}: ${complaint}`);
  return output;
}
