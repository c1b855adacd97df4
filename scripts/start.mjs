// npm start: from a fresh clone to a running storage daemon of one's own, without root.
//
//   npm start                  a private cisternd under ./.cistern with a directory pool "default"
//   npm start -- --root DIR    the same elsewhere (a socket's path may have 107 bytes)
//
// Ends with Ctrl-C or SIGTERM, and its daemon with it; pools and volumes stay for the next start.

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ensureDefaultPool } from "./steps/default-pool.mjs";
import { build, installPackages } from "./steps/install.mjs";
import { fail, requireNode } from "./steps/requirements.mjs";

/** sun_path holds 108 bytes with its closing zero. */
const SOCKET_PATH_BYTES = 107;
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

requireNode();
const project = resolve(import.meta.dirname, "..");
const root = readRoot();
const socket = join(root, "run/libvirt-sock");
const uri = `qemu+unix:///system?socket=${socket}`;
const logPath = join(root, "cisternd.log");
if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES) {
  fail(
    `The socket's path has ${Buffer.byteLength(socket)} bytes, and Linux takes ${SOCKET_PATH_BYTES}:\n  ${socket}\n` +
      "Choose a shorter place: npm start -- --root /tmp/cistern",
  );
}
if (await answers()) {
  process.stdout.write(`Cistern is already running here. Its URI:\n\n  ${uri}\n`);
} else {
  await installPackages(project);
  await build(project);
  await serve();
}

/** Runs the daemon until a signal asks for its end, or until it ends by itself, which is a failure. */
async function serve() {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const log = openSync(logPath, "a");
  // A group of its own: Ctrl-C in a terminal reaches this process alone, which ends the daemon in order.
  const daemon = spawn(process.execPath, [join(project, "packages/daemon/bin/cisternd.js"), "--root", root], {
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  /** @type {Promise<string>} */
  const ended = new Promise((done) => {
    daemon.once("error", (error) => done(error.message));
    daemon.once("exit", (status, signal) => done(signal === null ? `exit status ${status}` : `signal ${signal}`));
  });
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    daemon.kill("SIGTERM");
    setTimeout(() => daemon.kill("SIGKILL"), STOP_TIMEOUT_MS).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);

  try {
    await Promise.race([greet(() => stopping), ended]);
  } catch (error) {
    stop();
    await ended;
    fail(error instanceof Error ? error.message : String(error));
  }
  const how = await ended;
  if (!stopping) fail(`cisternd ended with ${how}. Its last words, from ${logPath}:\n${lastWords()}`);
  process.stdout.write("cisternd has ended; its pools and volumes stay as they are.\n");
  process.exit(0);
}

/**
 * Waits until the daemon answers, makes the pool and says what to try.
 * @param {() => boolean} stopping
 */
async function greet(stopping) {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (!(await answers())) {
    if (stopping()) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`cisternd did not open ${socket} in ${READY_TIMEOUT_MS / 1000} s. Its log is ${logPath}.`);
    }
    await sleep(POLL_MS);
  }
  await ensureDefaultPool(project, uri, join(root, "images"));
  if (!stopping()) process.stdout.write(welcome());
}

/** Whether a daemon accepts connections on the socket. */
function answers() {
  return new Promise((done) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      done(true);
    });
    connection.once("error", () => done(false));
  });
}

function lastWords() {
  return readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-10).join("\n");
}

function welcome() {
  const virsh = `virsh -c '${uri}'`;
  return `
Cistern is running, with a directory pool "default" in ${join(root, "images")}. Its URI:

  ${uri}

Three things to try in another terminal (virsh is in Debian's package libvirt-clients):

  ${virsh} pool-list
  ${virsh} vol-create-as default a.qcow2 1G --format qcow2
  ${virsh} vol-dumpxml --pool default a.qcow2

Log: ${logPath}
Ctrl-C ends it; pools and volumes stay.
`;
}

function readRoot() {
  try {
    const { values } = parseArgs({ options: { root: { type: "string" } } });
    return resolve(project, values.root ?? ".cistern");
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\nThe one option is --root DIR.`);
  }
}
