// Runs one program to its end, in a process group of its own, so that a deadline or a signal ends its children too.

import { spawn } from "node:child_process";

/** Time between SIGTERM and SIGKILL for a program that is past its deadline. */
const GRACE_MS = 5_000;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to ours
 * @property {number} timeoutMs
 * @property {boolean} [quiet] collect the output instead of showing it
 * @property {boolean} [keep] collect the output and show it
 *
 * @typedef {{ readonly status: number, readonly output: string, readonly timedOut: boolean }} RunResult
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<RunResult>} status 128 + signal number as shells say it, 127 where the program is missing
 */
export function run(program, args, options) {
  return new Promise((resolve) => {
    const listening = options.quiet === true || options.keep === true;
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", listening ? "pipe" : "inherit", listening ? "pipe" : "inherit"],
      detached: true,
    });
    let output = "";
    let timedOut = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        output += text;
        if (options.quiet !== true) process.stdout.write(text);
      });
    }
    const end = (/** @type {NodeJS.Signals} */ signal) => endGroup(child.pid, signal);
    const deadline = setTimeout(() => {
      timedOut = true;
      end("SIGTERM");
      setTimeout(() => end("SIGKILL"), GRACE_MS).unref();
    }, options.timeoutMs);
    const forget = forwardSignals(end);
    child.on("error", (error) => {
      clearTimeout(deadline);
      forget();
      resolve({ status: 127, output: `${program}: ${error.message}`, timedOut });
    });
    child.on("close", (status, signal) => {
      clearTimeout(deadline);
      forget();
      resolve({ status: status ?? (signal === "SIGKILL" ? 137 : 143), output, timedOut });
    });
  });
}

/** @param {(signal: NodeJS.Signals) => void} end */
function forwardSignals(end) {
  const listeners = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]).map((signal) => {
    const listener = () => end(signal);
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const off of listeners) off();
  };
}

/**
 * @param {number | undefined} pid leader of the group
 * @param {NodeJS.Signals} signal
 */
function endGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}
