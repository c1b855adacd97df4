import { setTimeout as delay } from "node:timers/promises";
import type { PoolSource } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import {
  DEFAULT_INTERFACE,
  deleteNode,
  ISCSI_ERR_NO_OBJS_FOUND,
  LOGIN_RETRIES,
  login,
  logoutSession,
  type Node,
  newNode,
  portalOf,
  showNode,
  updateNode,
} from "../../tools/iscsiadm.js";
import type { PoolContext } from "../driver.js";
import { Sysfs } from "../scsi/sysfs.js";
import { authenticate } from "./authentication.js";
import { interfaceOf, makeInterface, removeInterface } from "./interfaces.js";
import { allSessions, run, runToSuccess, type Session, sessionsOf, targetOf } from "./sessions.js";

/** A portal that does not answer is tried for 45 s, not for 135 s as open-iscsi's default is. */
const RETRIES = "2";

/** What a start notes, for the stop: the session's number and target, and where the login's record was made, the interface. */
const sessionNote = ({ id, target }: Session): string => `session ${id} ${target}`;
const RECORD_NOTE = /^record (\S+)$/;

/**
 * Logs in to the pool's target. What was there before (an interface, a record with an administrator's settings) is used as it is; what is
 * made for it is taken away again when the login fails. Gives what was made.
 */
export async function logIn(source: PoolSource, host: Host, context: PoolContext): Promise<readonly string[]> {
  const { signal } = context;
  const sysfs = new Sysfs(host);
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const node = await nodeOf(source, host, signal, undo);
    const made = await recordOf(node, host, signal, undo);
    if (source.authentication !== null) await authenticate(node, source.authentication, host, context);
    const before = new Set((await allSessions(sysfs)).map(({ id }) => id));
    undo.push(() => endSessions(node.target, before, host));
    await runToSuccess(host, login(node), signal, hostLimits.iscsiLoginMs);
    const session = (await sessionsOf(source, sysfs)).find(({ id }) => !before.has(id));
    if (session !== undefined) return [sessionNote(session), ...made];
    const text = `cannot find iscsiadm session: ${targetOf(source)}`;
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, text);
  } catch (thrown) {
    for (const step of undo.reverse()) await step().catch(() => {});
    throw thrown;
  }
}

/** Ends the session that a start has made, and its record; one that somebody else opened stays. */
export async function logOut(source: PoolSource, made: readonly string[], host: Host): Promise<void> {
  for (const session of await sessionsOf(source, new Sysfs(host))) {
    if (made.includes(sessionNote(session))) await runToSuccess(host, logoutSession(session.id));
  }
  const interfaceName = made.map((note) => RECORD_NOTE.exec(note)?.[1]).find((name) => name !== undefined);
  if (interfaceName === undefined) return;
  await run(host, deleteNode({ portal: portalOfSource(source), target: targetOf(source), interfaceName }));
}

/**
 * Ends what a login that failed has left. iscsid goes on with one whose iscsiadm was killed, and cannot log it out before it has
 * given up itself.
 */
async function endSessions(target: string, before: ReadonlySet<string>, host: Host): Promise<void> {
  const untilMs = performance.now() + hostLimits.iscsiUndoMs;
  for (;;) {
    const left = (await allSessions(new Sysfs(host))).filter(
      (session) => session.target === target && !before.has(session.id),
    );
    if (left.length === 0) return;
    for (const { id } of left) await run(host, logoutSession(id));
    if (performance.now() > untilMs) return;
    await delay(hostLimits.iscsiUndoPauseMs);
  }
}

async function nodeOf(
  source: PoolSource,
  host: Host,
  signal: CancelSignal,
  undo: (() => Promise<unknown>)[],
): Promise<Node> {
  const node = { portal: portalOfSource(source), target: targetOf(source) };
  const iqn = source.initiatorIqn;
  if (iqn === null) return { ...node, interfaceName: DEFAULT_INTERFACE };
  const existing = await interfaceOf(iqn, host, signal);
  if (existing !== null) return { ...node, interfaceName: existing };
  const interfaceName = await makeInterface(iqn, host, signal);
  undo.push(() => removeInterface(interfaceName, host));
  return { ...node, interfaceName };
}

function portalOfSource({ hosts: [first] }: PoolSource): Node["portal"] {
  return portalOf(first ?? { name: "", port: 0 });
}

/** The node's record, made where there is none: open-iscsi would make an existing one anew, whatever was set in it. */
async function recordOf(
  node: Node,
  host: Host,
  signal: CancelSignal,
  undo: (() => Promise<unknown>)[],
): Promise<readonly string[]> {
  const { exitStatus } = await run(host, showNode(node), signal);
  if (exitStatus !== ISCSI_ERR_NO_OBJS_FOUND) return [];
  undo.push(() => run(host, deleteNode(node)));
  await runToSuccess(host, newNode(node), signal);
  await runToSuccess(host, updateNode(node, LOGIN_RETRIES, RETRIES), signal);
  return [`record ${node.interfaceName}`];
}
